import { entryId } from './entry.ts';
import { type EntryState, type Mutation, NEVER_WRITTEN } from './mutation.ts';
import type { Version } from './version.ts';

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

/** What the database knows of an entry, for merging with what is pending. */
export interface Settled {
  readonly row: EntryState | undefined;
  /** Versions that were dead-lettered or discarded. */
  readonly setAside: readonly Version[];
  /** No row appears at or below this version where there is none: its tombstone was pruned. */
  readonly pruneFloor: Version;
}

/**
 * The newest of the row and the pending mutations that count: not those set aside, and without a row none at or below the
 * prune floor. `hidden`: a write that was set aside is newer than the result, so an older one may be pending where nobody
 * looked, because only the newest was known.
 */
export function mergePending<S extends EntryState>(
  { row, setAside, pruneFloor }: Settled,
  pending: readonly S[],
): { readonly state: EntryState; readonly from: 'row' | 'pending'; readonly hidden: boolean } {
  let state: EntryState = row ?? NEVER_WRITTEN;
  for (const mutation of pending) {
    const pruned = row === undefined && mutation.version <= pruneFloor;
    if (!pruned && !setAside.includes(mutation.version)) state = newest(state, mutation);
  }
  return {
    state,
    from: state === (row ?? NEVER_WRITTEN) ? 'row' : 'pending',
    hidden: setAside.some((version) => version > state.version),
  };
}
