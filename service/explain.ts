import { slotWorkflowId } from '../config/temporal-names.ts';
import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { mergePending, type Settled } from '../domain/merge.ts';
import type { EntryState } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import { inspect, type Pending } from '../storage/redis/lookup.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { Explanation, RequestOptions } from './holdfast.ts';
import type { PendingBatches } from './pending-batches.ts';
import { unavailable } from './trouble.ts';

/** What a read gives: of the pending mutation and the row as a repair merges them, unless the cached copy is as new. */
function winnerOf(
  cached: EntryState | undefined,
  pending: EntryState | null,
  settled: Settled,
): Explanation['winner'] {
  const { state, from } = mergePending(settled, pending === null ? [] : [pending]);
  if (cached !== undefined && cached.version >= state.version)
    return cached.version === 0 ? 'none' : 'cached';
  return state.version === 0 ? 'none' : from;
}

/** Why a read gives what it gives. Changes nothing: takes no lease, fills no cache. */
export function createExplain(ctx: Context, epochs: Epochs, batches: PendingBatches) {
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
    return {
      version: mutation.version,
      value: mutation.value,
      batchId: pending.batchId,
      where: 'temporal',
      workflowId: slotWorkflowId(partition, pending.slot),
      runId: pending.runId,
    };
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
      const settled = await beforeDeadline(ctx.readRecord(collection.kind, ref), options.deadlineAt);
      return {
        ...ref,
        partition,
        epoch,
        cached: seen.cached ?? null,
        pending,
        row: settled.row ?? null,
        setAside: settled.setAside,
        winner: winnerOf(seen.cached, pending, settled),
      };
    } catch (error) {
      throw unavailable(error);
    }
  };
}
