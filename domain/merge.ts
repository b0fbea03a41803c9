import { entryId } from './entry.ts';
import type { EntryState, Mutation } from './mutation.ts';

/**
 * Highest version wins. Commutative, associative and idempotent, so batches may be repeated, reordered and split without
 * changing the result. Equal versions are the same write: either side will do.
 */
export function newest<S extends EntryState>(a: S, b: S | undefined): S {
  return b !== undefined && b.version > a.version ? b : a;
}

/** The newest mutation of every entry, in no particular order. */
export function mergeMutations(mutations: Iterable<Mutation>): Mutation[] {
  const merged = new Map<string, Mutation>();
  for (const mutation of mutations) {
    const id = entryId(mutation);
    const held = merged.get(id);
    merged.set(id, held === undefined ? mutation : newest(held, mutation));
  }
  return [...merged.values()];
}
