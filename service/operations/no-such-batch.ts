import { parseSlotWorkflowId, slotWorkflowId } from '../../config/temporal-names.ts';
import { type BatchId, isForeignBatch } from '../../domain/batch.ts';
import type { Installation } from '../../domain/epoch.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import type { Context } from '../context.ts';
import { beforeDeadline, remainingMs } from '../deadline.ts';
import { ownOverview } from '../own-redis.ts';

interface SlotPlace {
  readonly partition: number;
  readonly slot: number;
}

/** The slot that a workflow id names. @throws HoldfastError `batch-not-found` where that is none of the slots there are. */
export function requireSlot({ environment: { PARTITIONS, SLOTS } }: Context, workflowId: string): SlotPlace {
  const place = parseSlotWorkflowId(workflowId);
  if (place !== undefined && place.partition < PARTITIONS && place.slot < SLOTS) return place;
  throw notFound('No slot has a workflow of this id.');
}

/**
 * @param installation `undefined` where PostgreSQL has not said it yet: then every batch passes.
 * @throws HoldfastError `batch-not-found` where what is in the slot certainly belongs to another installation.
 */
export function requireOwnBatch(
  { environment: { TEMPORAL_NAMESPACE } }: Context,
  batchId: BatchId,
  installation: Installation | undefined,
): void {
  if (installation === undefined || !isForeignBatch(batchId, installation)) return;
  throw notFound(
    `Batch ${batchId} is in this slot, and belongs to another Holdfast installation, which uses the Temporal namespace "${TEMPORAL_NAMESPACE}", too: it can be shown, retried and discarded there. Give each installation a namespace of its own.`,
  );
}

/**
 * Why nothing can be done about the batch of a slot that Temporal does not have open. That it is settled is said only where
 * Redis names no batch that has yet to reach Temporal, or that Temporal has lost. Takes no longer than the deadline, and never
 * throws.
 */
export async function noSuchBatch(
  ctx: Context,
  { partition, slot }: SlotPlace,
  deadlineAt: number,
): Promise<HoldfastError> {
  const named = await namedBatch(ctx, partition, slot, deadlineAt).catch(() => 'unknown' as const);
  if (named === 'unknown') {
    return notFound(
      'Temporal has no open batch of this workflow id, and it could not be found out whether Redis still names one.',
    );
  }
  if (named === undefined) {
    return notFound(
      'No batch of this workflow id is on its way. What it held before is in PostgreSQL, or among the dead letters.',
    );
  }
  const { batchId, standing } = named;
  if (standing === 'staged') {
    return notFound(
      `Batch ${batchId} of ${slotWorkflowId(partition, slot)} is staged in Redis, and not known to have reached Temporal. It is offered to Temporal again by itself; until it is there, nothing of it can be shown, retried or discarded.`,
    );
  }
  return notFound(
    `Redis still names batch ${batchId} as that of ${slotWorkflowId(partition, slot)}, but Temporal does not know it: check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE. There is nothing here to discard or to retry.`,
  );
}

interface NamedBatch {
  readonly batchId: BatchId;
  /** `staged`: not known to have reached Temporal. `lost`: given to Temporal, which does not know it. */
  readonly standing: 'staged' | 'lost';
}

/**
 * The batch of the slot that is not settled although Temporal has none open. Asked of the very run that Redis names: the slot
 * may have another batch by now.
 */
async function namedBatch(
  ctx: Context,
  partition: number,
  slot: number,
  deadlineAt: number,
): Promise<NamedBatch | undefined> {
  const { sent } = await beforeDeadline(ownOverview(ctx, partition), deadlineAt);
  const named = sent.find((one) => one.slot === slot);
  if (named === undefined) return undefined;
  if (named.state === 'sealed') return { batchId: named.batchId, standing: 'staged' };
  const { runId, batchId } = named;
  const deadlineMs = Math.max(1, Math.min(ctx.environment.TEMPORAL_TIMEOUT_MS, remainingMs(deadlineAt)));
  const { state } = await describeSlot(ctx.temporal, { partition, slot, runId, deadlineMs });
  return state === 'none' ? { batchId, standing: 'lost' } : undefined;
}

function notFound(detail: string): HoldfastError {
  return new HoldfastError('batch-not-found', detail);
}
