import { entryId } from './entry.ts';
import { type Epoch, type Installation, isForeign } from './epoch.ts';
import type { Mutation } from './mutation.ts';
import { partitionName } from './partition.ts';
import { MAX_VERSION, type Version } from './version.ts';

/**
 * `epoch.partition.number`, for example `3-k9f2m1.p00.17`. Names one content for ever: a batch that is recovered from an
 * older epoch gets a new id.
 */
export type BatchId = string;

export function batchId(epoch: Epoch, partition: number, number: number): BatchId {
  return `${epoch}.${partitionName(partition)}.${number}`;
}

/** The parts of a batch id; `undefined` where the text is none. */
export function parseBatchId(id: BatchId): { epoch: Epoch; partition: number; number: number } | undefined {
  const match = /^(\d+-[0-9a-z]+)\.p(\d+)\.(\d+)$/.exec(id);
  if (match === null) return undefined;
  return { epoch: match[1] as string, partition: Number(match[2]), number: Number(match[3]) };
}

/** Whether a batch certainly belongs to another installation: as {@link isForeign} says of its epoch. */
export function isForeignBatch(id: BatchId, installation: Installation): boolean {
  return isForeign(parseBatchId(id)?.epoch ?? '', installation);
}

/** A batch on its way to PostgreSQL: sealed, so its content never changes. At most one mutation of each entry. */
export interface Batch {
  readonly id: BatchId;
  readonly partition: number;
  /** The epoch the batch was sealed in. */
  readonly epoch: Epoch;
  readonly mutations: readonly Mutation[];
}

/** The lowest version in a batch, which is about the time of its oldest write. Of an empty list: above all versions. */
export function oldestVersion(mutations: readonly Pick<Mutation, 'version'>[]): Version {
  return mutations.reduce((oldest, { version }) => Math.min(oldest, version), MAX_VERSION);
}

/** What a batch may hold. Past a limit the batch is closed and the next one begins. */
export interface BatchLimits {
  readonly entries: number;
  /** Encoded bytes, counted as {@link mutationBytes}. */
  readonly bytes: number;
}

/** Room for the names and punctuation of a mutation in a workflow's input, beside its id and value. */
export const MUTATION_OVERHEAD_BYTES = 96;

/** What a mutation counts towards a batch's byte limit. The Lua scripts count the same. */
export function mutationBytes(id: string, value: string | null): number {
  return Buffer.byteLength(id) + (value === null ? 0 : Buffer.byteLength(value)) + MUTATION_OVERHEAD_BYTES;
}

/**
 * Cuts mutations into lists that each respect the limits, keeping their order. A single mutation above the byte limit
 * gets a list of its own: it was accepted, so it must travel.
 */
export function splitMutations(mutations: readonly Mutation[], limits: BatchLimits): Mutation[][] {
  const lists: Mutation[][] = [];
  let bytes = 0;
  for (const mutation of mutations) {
    const size = mutationBytes(entryId(mutation), mutation.value);
    const list = lists.at(-1);
    if (list === undefined || list.length >= limits.entries || bytes + size > limits.bytes) {
      lists.push([mutation]);
      bytes = size;
    } else {
      list.push(mutation);
      bytes += size;
    }
  }
  return lists;
}
