import {
  type Activities,
  type PersistResult,
  type ReleaseInput,
  requestedBatch,
} from '../../activities/create-activities.ts';
import type { Batch } from '../../domain/batch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { unpackMutations } from '../../domain/packed-mutations.ts';

/** What a test puts in the place of PostgreSQL and Redis; whatever the batch's format, it sees whole mutations. */
export interface FakeActivities {
  persistBatch(request: { readonly batch: Batch; readonly parked: boolean }): Promise<PersistResult>;
  releaseBatch(input: Required<ReleaseInput>): Promise<void>;
}

export const PERSISTED: PersistResult = { outcome: 'persisted', setAside: [] };

/** As an activity gets it from a fake. */
export type FakePersistRequest = Parameters<FakeActivities['persistBatch']>[0];

/** The activities that a worker runs. */
export function fakeActivities(fakes: Partial<FakeActivities>): Omit<Activities, 'invalidateEntries'> {
  const { persistBatch = async () => PERSISTED, releaseBatch = async () => {} } = fakes;
  const entryOf = ({ collection, key, version, records }: Mutation) => ({
    ...{ collection, key, version },
    ...(records === undefined ? {} : { records }),
  });
  const activities: Omit<Activities, 'invalidateEntries'> = {
    persistBatch: (request, packed) =>
      persistBatch({ batch: requestedBatch(request, packed), parked: request.parked }),
    releaseBatch: (input, packed = []) =>
      releaseBatch({ ...input, entries: input.entries ?? unpackMutations(packed).map(entryOf) }),
    async carryBatch(request, packed) {
      const result = await activities.persistBatch(request, packed);
      const { id: batchId, partition } = requestedBatch(request, packed);
      try {
        await activities.releaseBatch({ batchId, partition, ...result }, packed);
        return { ...result, released: true };
      } catch {
        return { ...result, released: false };
      }
    },
  };
  return activities;
}
