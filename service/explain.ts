import { slotWorkflowId } from '../config/temporal-names.ts';
import type { BatchId } from '../domain/batch.ts';
import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import { mergePending } from '../domain/merge.ts';
import type { EntryState } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import { inspect, type Pending, stagedMutations } from '../storage/redis/lookup.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { Explanation, RequestOptions } from './holdfast.ts';
import type { PendingBatches } from './pending-batches.ts';
import type { SlotLookups } from './slots.ts';
import { unavailable } from './trouble.ts';

type PendingPart = NonNullable<Explanation['pending']>;

function inSlot(
  partition: number,
  { slot, batchId, runId }: { slot: number; batchId: BatchId; runId: string },
) {
  return { batchId, where: 'temporal', workflowId: slotWorkflowId(partition, slot), runId } as const;
}

function isNewest(cached: EntryState | undefined, state: EntryState): cached is EntryState {
  return cached !== undefined && cached.version >= state.version;
}

function isPlaced(one: EntryState | PendingPart): one is PendingPart {
  return 'where' in one;
}

/** What a read gives: what a repair comes to, unless the cached copy is as new. */
function winnerOf(
  cached: EntryState | undefined,
  { state, from }: Pick<ReturnType<typeof mergePending>, 'state' | 'from'>,
): Explanation['winner'] {
  if (isNewest(cached, state)) return cached.version === 0 ? 'none' : 'cached';
  return state.version === 0 ? 'none' : from;
}

/** Why a read gives what it gives. Changes nothing: takes no lease, fills no cache. */
export function createExplain(
  ctx: Context,
  {
    epochs,
    batches,
    slots,
  }: { readonly epochs: Epochs; readonly batches: PendingBatches; readonly slots: SlotLookups },
) {
  async function pendingPart(
    id: string,
    partition: number,
    pending: Pending | undefined,
  ): Promise<Explanation['pending']> {
    if (pending === undefined || pending.where === 'nowhere') return null;
    if (pending.where === 'redis') {
      const { version, value } = pending.mutation;
      return { version, value, batchId: pending.batchId, where: 'redis', workflowId: null, runId: null };
    }
    const mutation = (await batches.content({ ...pending, partition })).get(id);
    if (mutation === undefined) return null;
    const { version, value } = mutation;
    return { version, value, ...inSlot(partition, pending) };
  }

  const record = (collection: Collection, ref: EntryRef, deadlineAt: number) =>
    beforeDeadline(ctx.readRecord(collection.kind, ref), deadlineAt);

  /** Every write of an entry that waits, where the index does not name the one that counts: as a read looks for it. */
  async function everyPart(
    ref: EntryRef,
    partition: number,
    deadlineAt: number,
  ): Promise<readonly (EntryState | PendingPart)[]> {
    const staged = await epochs.use(partition, deadlineAt, (epoch) =>
      stagedMutations(ctx.redis, ref, { partition, epoch }),
    );
    const waiting = await slots.all(partition, entryId(ref));
    const inSlots = waiting.map((one) => ({
      version: one.version,
      value: one.value,
      ...inSlot(partition, one),
    }));
    return [...inSlots, ...staged];
  }

  return async (collection: Collection, key: string, options: RequestOptions): Promise<Explanation> => {
    const ref = { collection: collection.name, key };
    const id = entryId(ref);
    const partition = partitionOf(id, ctx.environment.PARTITIONS);
    try {
      const { epoch, seen } = await epochs.use(partition, options.deadlineAt, async (current) => ({
        epoch: current,
        seen: await inspect(ctx.redis, ref, { partition, epoch: current }),
      }));
      const pending = await beforeDeadline(pendingPart(id, partition, seen.pending), options.deadlineAt);
      const indexed = pending === null ? [] : [pending];
      let settled = await record(collection, ref, options.deadlineAt);
      let merged = mergePending(settled, indexed);
      let counting: Explanation['pending'] = pending;
      // Else the cached copy is what a read gives, and nobody looks any further.
      if (merged.hidden && !isNewest(seen.cached, merged.state)) {
        const every = await beforeDeadline(everyPart(ref, partition, options.deadlineAt), options.deadlineAt);
        settled = await record(collection, ref, options.deadlineAt);
        const all = [...indexed, ...every];
        merged = mergePending(settled, all);
        const winner = all.find(
          ({ version }) => merged.from === 'pending' && version === merged.state.version,
        );
        if (winner !== undefined) counting = isPlaced(winner) ? winner : null;
      }
      return {
        ...ref,
        partition,
        epoch,
        cached: seen.cached ?? null,
        pending: counting,
        row: settled.row ?? null,
        setAside: settled.setAside,
        winner: winnerOf(seen.cached, merged),
      };
    } catch (error) {
      throw unavailable(error);
    }
  };
}
