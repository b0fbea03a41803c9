import { type Batch, MUTATION_OVERHEAD_BYTES } from './batch.ts';
import { entryId } from './entry.ts';
import { decodeMutation, encodeMutation, type Mutation } from './mutation.ts';
import { MAX_VERSION, type Version } from './version.ts';

/**
 * The mutations of a batch on their way from Redis to PostgreSQL: entry id, mutation, entry id, mutation, …, each mutation as
 * {@link encodeMutation} writes it. Nobody in between has to take them apart.
 */
export type PackedMutations = readonly string[];

/** What stands before a value: a version of 16 digits, a tag, and two spaces. */
const PREFIX_BYTES = 19;

export function packMutations(mutations: readonly Mutation[]): PackedMutations {
  return mutations.flatMap((mutation) => [entryId(mutation), encodeMutation(mutation)]);
}

/** @throws TypeError where the text has another form: data of another program, or of a newer format. */
export function unpackMutations(packed: PackedMutations): Mutation[] {
  const mutations: Mutation[] = [];
  for (let i = 0; i + 1 < packed.length; i += 2) {
    mutations.push(decodeMutation(packed[i] as string, packed[i + 1] as string));
  }
  return mutations;
}

/** How many mutations they are. */
export function packedCount(packed: PackedMutations): number {
  return packed.length / 2;
}

/** The lowest version among them. Of an empty list: above all versions. */
export function oldestPacked(packed: PackedMutations): Version {
  let oldest = MAX_VERSION;
  for (let i = 1; i < packed.length; i += 2) {
    const text = packed[i] as string;
    oldest = Math.min(oldest, Number(text.slice(0, text.indexOf(' '))));
  }
  return oldest;
}

/** The names of the collections that its entries are in, sorted. */
export function packedCollections(packed: PackedMutations): string[] {
  const names = new Set<string>();
  let last = '/';
  for (let i = 0; i < packed.length; i += 2) {
    const id = packed[i] as string;
    if (id.startsWith(last)) continue;
    last = id.slice(0, id.indexOf('/') + 1);
    names.add(last.slice(0, -1));
  }
  return [...names].sort();
}

/** What they count towards a batch's byte limit, counted as the Lua scripts count it. */
export function packedBytes(packed: PackedMutations): number {
  let bytes = 0;
  for (const text of packed) bytes += Buffer.byteLength(text);
  return bytes + packedCount(packed) * (MUTATION_OVERHEAD_BYTES - PREFIX_BYTES);
}

/** A batch as Redis gave it. */
export interface PackedBatch extends Batch {
  readonly packed: PackedMutations;
}

/** Its mutations are taken apart when somebody asks for them, and then once. */
export function packedBatch(named: Omit<Batch, 'mutations'>, packed: PackedMutations): PackedBatch {
  let mutations: readonly Mutation[] | undefined;
  return {
    ...named,
    packed,
    get mutations() {
      mutations ??= unpackMutations(packed);
      return mutations;
    },
  };
}
