import type { BatchId } from '../domain/batch.ts';
import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import type { Settled } from '../domain/merge.ts';
import type { Mutation } from '../domain/mutation.ts';
import { batchProgress } from '../storage/redis/confirm.ts';
import { type Pending, stagedMutations } from '../storage/redis/lookup.ts';
import type { Context } from './context.ts';
import type { Epochs } from './epochs.ts';
import { type Found, merged, unsettledBy, withoutRow } from './found.ts';
import type { PendingBatches } from './pending-batches.ts';
import type { SlotLookups } from './slots.ts';
import type { Suspicion } from './suspicion.ts';

export interface Sources {
  /**
   * The pending write that the index names, then the row. `needsRow`: a pending write is no answer where the row cannot be read,
   * however new it is. @throws as Redis, Temporal and PostgreSQL do.
   */
  indexed(
    ref: EntryRef,
    collection: Collection,
    place: { readonly partition: number; readonly deadlineAt: number; readonly needsRow?: boolean },
    pending: Pending | undefined,
  ): Promise<Found>;
  /** Without Redis: every slot may hold something, then the row. @throws as Temporal and PostgreSQL do. */
  withoutRedis(ref: EntryRef, collection: Collection, partition: number): Promise<Found>;
  /** The same of many entries of one collection, in their order. */
  withoutRedisMany(collection: Collection, refs: readonly PlacedRef[]): Promise<readonly Found[]>;
}

/** An entry and its partition. */
export interface PlacedRef {
  readonly ref: EntryRef;
  readonly partition: number;
}

/** An entry that was not in the cache, and what its index says. */
export interface Missed extends PlacedRef {
  readonly pending: Pending | undefined;
}

/**
 * Where the value of an entry is when it is not in the cache. Always pending first and the row last: a batch may commit in
 * between, and must then be found there.
 */
export function createSources(
  ctx: Context,
  deps: {
    readonly epochs: Epochs;
    readonly batches: PendingBatches;
    readonly slots: SlotLookups;
    readonly suspicion: Suspicion;
  },
): Sources {
  const { epochs, batches, slots, suspicion } = deps;

  async function indexedMutation(
    id: string,
    partition: number,
    pending: Pending | undefined,
  ): Promise<Mutation | undefined> {
    if (pending?.where === 'redis') return pending.mutation;
    if (pending?.where === 'temporal') return (await batches.content({ ...pending, partition })).get(id);
    return undefined;
  }

  /** The last step of every repair: the row, with what decides which of the pending mutations count. */
  async function mergedWithRow(
    ref: EntryRef,
    collection: Collection,
    pending: readonly Mutation[],
  ): Promise<{ readonly found: Found; readonly hidden: boolean }> {
    return merged(await ctx.readRecord(collection.kind, ref), pending);
  }

  /**
   * The index names one batch for each entry. Where that one's write was set aside, an older one may wait in another:
   * Redis' own batches are asked, then every slot, then the row again.
   */
  async function everywhere(
    ref: EntryRef,
    collection: Collection,
    { partition, deadlineAt }: { readonly partition: number; readonly deadlineAt: number },
  ): Promise<Found> {
    const staged = await epochs.use(partition, deadlineAt, (epoch) =>
      stagedMutations(ctx.redis, ref, { partition, epoch }),
    );
    const inSlots = await slots.all(partition, entryId(ref));
    const { found } = await mergedWithRow(ref, collection, [...staged, ...inSlots]);
    if (found.source === 'row') return found;
    if (collection.reads === 'latest') return { ...found, unsettled: 'somewhere' };
    const holder = inSlots.find(({ version }) => version === found.state.version)?.batchId;
    if (holder !== undefined && (await isQueued(holder, { partition, deadlineAt }))) return found;
    // Of a copy nobody could tell any more that its write, which no index names, may not be queued yet.
    return { ...found, cacheable: false, unsettled: 'somewhere' };
  }

  /** Whether Redis knows that Temporal has the batch. One that it does not know of may still be refused. */
  async function isQueued(
    batchId: BatchId,
    { partition, deadlineAt }: { readonly partition: number; readonly deadlineAt: number },
  ): Promise<boolean> {
    const [progress] = await epochs.use(partition, deadlineAt, (epoch) =>
      batchProgress(ctx.redis, partition, epoch, [batchId]),
    );
    return progress === 'queued';
  }

  /** What a miss comes to, with what is pending of it and its record. */
  async function settle(
    { ref, pending }: Missed,
    collection: Collection,
    mutation: Mutation | undefined,
    record: Settled,
    place: { readonly partition: number; readonly deadlineAt: number },
  ): Promise<Found> {
    const { found, hidden } = merged(record, mutation === undefined ? [] : [mutation]);
    if (hidden) return await everywhere(ref, collection, place);
    return found.source === 'row' ? found : { ...found, ...unsettledBy(pending) };
  }

  return {
    async indexed(ref, collection, place, pending) {
      const mutation = await indexedMutation(entryId(ref), place.partition, pending);
      let record: Settled;
      try {
        record = await ctx.readRecord(collection.kind, ref);
      } catch (error) {
        if (place.needsRow === true) throw error;
        return withoutRow(pending, mutation, error, suspicion);
      }
      return await settle({ ref, partition: place.partition, pending }, collection, mutation, record, place);
    },
    async withoutRedis(ref, collection, partition) {
      const pending = collection.mode === 'write-behind' ? await slots.all(partition, entryId(ref)) : [];
      const { found } = await mergedWithRow(ref, collection, pending);
      // A batch that Redis did not confirm may still be refused, when a recovery has not adopted it.
      return found.source === 'row' ? found : { ...found, unsettled: 'somewhere' };
    },
    async withoutRedisMany(collection, refs) {
      const ids = new Map<number, string[]>();
      for (const { ref, partition } of refs) {
        ids.set(partition, [...(ids.get(partition) ?? []), entryId(ref)]);
      }
      const pending = new Map<string, Mutation[]>();
      if (collection.mode === 'write-behind') {
        const looks = [...ids].map(([partition, some]) => slots.allOf(partition, new Set(some)));
        for (const mutation of (await Promise.all(looks)).flat()) {
          const id = entryId(mutation);
          pending.set(id, [...(pending.get(id) ?? []), mutation]);
        }
      }
      return await Promise.all(
        refs.map(async ({ ref }): Promise<Found> => {
          const { found } = await mergedWithRow(ref, collection, pending.get(entryId(ref)) ?? []);
          return found.source === 'row' ? found : { ...found, unsettled: 'somewhere' };
        }),
      );
    },
  };
}
