import { slotWorkflowId } from '../config/temporal-names.ts';
import type { BatchId } from '../domain/batch.ts';
import { describeSlot } from '../storage/temporal/describe-slot.ts';
import { readInput } from '../storage/temporal/history-events.ts';
import { startBatch } from '../storage/temporal/start-batch.ts';
import type { Context } from './context.ts';

/** A confirmed batch whose recorded run ended without completing: its writes may be nowhere but in that run's history. */
export interface EndedBatch {
  readonly batchId: BatchId;
  readonly partition: number;
  readonly slot: number;
  readonly runId: string;
}

/**
 * Carries on a batch whose workflow was terminated, reset or failed by hand. It is started again from its history: the same
 * mutations and versions, and so under the same id, in the same slot (in another one, a batch that starts in the old slot
 * would hide the ended run from a recovery). Where that was done already, by a reset or another process, the run is found.
 * Answers the id of the run that has the batch now; `undefined` where another batch is open in the slot, or nothing can be
 * done: look again later.
 * @throws TemporalUnreachable: it may or may not have been started; repeating it is harmless.
 */
export async function queueAgain(ctx: Context, ended: EndedBatch): Promise<string | undefined> {
  const { batchId, partition, slot, runId } = ended;
  const deadlineMs = ctx.environment.TEMPORAL_TIMEOUT_MS;
  const latest = await describeSlot(ctx.temporal, { partition, slot, deadlineMs });
  if (latest.state === 'none') return undefined;
  if (latest.state !== 'closed-unfinished' && latest.batchId === batchId) return latest.runId;
  const input = await readInput(ctx.temporal, { partition, slot, runId, deadlineMs });
  if (input === undefined || input.batchId !== batchId) return undefined;
  const started = await startBatch(ctx.temporal, {
    batch: { id: batchId, partition, epoch: input.epoch, mutations: input.mutations },
    slot,
    sealedAt: input.sealedAt,
    deadlineMs,
  });
  // For instance by a run of another batch that was reset by hand, long after it was done: it ends by itself.
  if (started.outcome === 'slot-taken') return undefined;
  ctx.log.warn(
    {
      batchId,
      workflowId: slotWorkflowId(partition, slot),
      endedRunId: runId,
      runId: started.runId,
      writes: input.mutations.length,
    },
    'the workflow of a batch ended with its writes inside (terminated or failed): queued them again',
  );
  ctx.metrics.rescued('workflow-restarted');
  return started.runId;
}
