import type { PersistRequest, ReleaseInput } from '../activities/create-activities.ts';
import { oldestVersion } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import type { EntryVersion, Mutation } from '../domain/mutation.ts';
import {
  oldestPacked,
  type PackedMutations,
  packedCount,
  unpackMutations,
} from '../domain/packed-mutations.ts';
import type { Version } from '../domain/version.ts';
import type { BatchInput } from './messages.ts';

/** The mutations of a batch, and which of them are still pending. */
export interface BatchContent {
  readonly total: number;
  pendingCount(): number;
  pending(): readonly Mutation[];
  /** Only where something is pending. */
  oldestPending(): Version;
  /** Takes entries out; answers their mutations. */
  drop(ids: readonly string[]): readonly Mutation[];
  /** Nothing is pending any more. */
  settle(): void;
  /** The arguments of the activities. */
  persistRequest(parked: boolean): [PersistRequest, PackedMutations?];
  releaseRequest(
    setAside: readonly EntryVersion[],
    outcome: ReleaseInput['outcome'],
  ): [ReleaseInput, PackedMutations?];
}

/** Packed mutations are handed on as they came: taken apart only where somebody asks for them. */
export function createBatchContent(input: BatchInput, packed: PackedMutations): BatchContent {
  const { batchId, partition, epoch } = input;
  const dropped = new Set<string>();
  let settled = false;
  let known = input.format === 3 ? undefined : input.mutations;
  const all = (): readonly Mutation[] => {
    known ??= unpackMutations(packed);
    return known;
  };
  const total = input.format === 3 ? packedCount(packed) : input.mutations.length;
  const pending = () => (settled ? [] : all().filter((m) => !dropped.has(entryId(m))));

  return {
    total,
    pendingCount: () => (settled ? 0 : total - dropped.size),
    pending,
    oldestPending: () =>
      input.format === 3 && dropped.size === 0 ? oldestPacked(packed) : oldestVersion(pending()),
    drop(ids) {
      const wanted = new Set(ids);
      const found = pending().filter((m) => wanted.has(entryId(m)));
      for (const mutation of found) dropped.add(entryId(mutation));
      return found;
    },
    settle() {
      settled = true;
    },
    persistRequest(parked) {
      if (input.format !== 3) {
        return [{ batch: { id: batchId, partition, epoch, mutations: pending() }, parked }];
      }
      return [{ batchId, partition, epoch, discarded: [...dropped], parked }, packed];
    },
    releaseRequest(setAside, outcome) {
      const request = { batchId, partition, setAside, outcome };
      return input.format === 3 ? [request, packed] : [{ ...request, entries: all().map(released) }];
    },
  };
}

/** With the records, which leave Redis together with the batch. */
function released({ collection, key, version, records }: Mutation) {
  return { collection, key, version, ...(records === undefined ? {} : { records }) };
}
