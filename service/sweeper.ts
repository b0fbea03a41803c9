import { crashPoint } from '../config/crash-points.ts';
import { slotWorkflowId } from '../config/temporal-names.ts';
import type { Epoch } from '../domain/epoch.ts';
import { EpochChanged } from '../storage/redis/errors.ts';
import { releaseBatch } from '../storage/redis/release.ts';
import { forgetEntries, recordRerun, sweepPage } from '../storage/redis/sweep.ts';
import { describeSlot } from '../storage/temporal/describe-slot.ts';
import { isTemporalUnreachable } from '../storage/temporal/errors.ts';
import { readInput, readResult } from '../storage/temporal/history-events.ts';
import type { Context } from './context.ts';
import type { Epochs } from './epochs.ts';
import { type EndedBatch, queueAgain } from './janitor.ts';

/**
 * Looks after confirmed batches that take long. Releases that were lost are redone: a recovery may adopt a batch whose
 * workflow releases it a moment before the new epoch is installed; only a workflow that COMPLETED with the batch's own id
 * counts. Batches whose workflow ended in another way are queued again. Answers a function that stops.
 */
export function startSweeper(ctx: Context, epochs: Epochs): () => void {
  const { PARTITIONS, SWEEP_INTERVAL_MS, TEMPORAL_TIMEOUT_MS, REQUEST_DEADLINE_MS } = ctx.environment;
  const cursors = new Map<number, string>();

  async function sweep(partition: number): Promise<void> {
    const deadlineAt = performance.now() + REQUEST_DEADLINE_MS;
    const { epoch, page } = await epochs.use(partition, deadlineAt, async (current) => ({
      epoch: current,
      page: await sweepPage(ctx.redis, {
        partition,
        epoch: current,
        // One that was confirmed more recently is most likely still being persisted.
        olderThanMs: 2 * SWEEP_INTERVAL_MS,
        cursor: cursors.get(partition) ?? '0',
      }),
    }));
    cursors.set(partition, page.cursor);
    for (const { batchId, slot, runId } of page.confirmed) {
      try {
        await examine(epoch, { batchId, partition, slot, runId });
      } catch (error) {
        if (isTemporalUnreachable(error) || error instanceof EpochChanged) throw error;
        // One that cannot be read must not keep the others from being looked at.
        const workflowId = slotWorkflowId(partition, slot);
        ctx.log.warn({ err: error, batchId, workflowId, runId }, 'could not look after a batch');
      }
    }
    if (page.dangling.length > 0) {
      const removed = await forgetEntries(ctx.redis, { partition, epoch }, page.dangling);
      ctx.log.info({ partition, removed }, 'removed index entries of batches that are done');
    }
  }

  async function examine(epoch: Epoch, batch: EndedBatch): Promise<void> {
    const { batchId, partition, slot, runId } = batch;
    const run = { partition, slot, runId, deadlineMs: TEMPORAL_TIMEOUT_MS };
    const found = await describeSlot(ctx.temporal, run);
    if (found.state === 'none') {
      // Never released for that: another process may look into the right namespace.
      const workflowId = slotWorkflowId(partition, slot);
      ctx.log.error({ batchId, workflowId, runId }, 'Temporal does not know the workflow of a batch');
      return;
    }
    if (found.batchId !== batchId) return;
    if (found.state === 'completed') return await redo(epoch, batch);
    if (found.state === 'open') return;
    const newRunId = await queueAgain(ctx, batch);
    if (newRunId === undefined) return;
    crashPoint('before-rerun');
    await recordRerun(ctx.redis, { partition, epoch }, batch, newRunId);
  }

  async function redo(epoch: Epoch, { batchId, partition, slot, runId }: EndedBatch): Promise<void> {
    const run = { partition, slot, runId, deadlineMs: TEMPORAL_TIMEOUT_MS };
    const input = await readInput(ctx.temporal, run);
    const result = await readResult(ctx.temporal, run);
    if (input === undefined || result === undefined) return;
    crashPoint('before-redo');
    await releaseBatch(ctx.redis, {
      batchId,
      partition,
      epoch,
      entries: input.mutations,
      setAside: [...result.setAside, ...result.discarded],
      outcome: result.outcome,
    });
    ctx.log.info(
      { batchId, workflowId: slotWorkflowId(partition, slot), runId, outcome: result.outcome },
      'redid a release that was lost',
    );
    ctx.metrics.rescued('release-redone');
  }

  let sweeping = false;
  async function round(): Promise<void> {
    if (sweeping) return;
    sweeping = true;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await sweep(partition).catch((error: unknown) =>
        ctx.log.debug({ err: error, partition }, 'could not look for lost releases'),
      );
    }
    sweeping = false;
  }
  const timer = setInterval(() => void round(), SWEEP_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
