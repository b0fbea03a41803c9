import type { BatchId } from '../domain/batch.ts';
import type { Epoch } from '../domain/epoch.ts';
import { EpochChanged } from '../storage/redis/errors.ts';
import { releaseBatch } from '../storage/redis/release.ts';
import { forgetEntries, sweepPage } from '../storage/redis/sweep.ts';
import { describeSlot, type SlotRun } from '../storage/temporal/describe-slot.ts';
import { isTemporalUnreachable } from '../storage/temporal/errors.ts';
import { readInput, readResult } from '../storage/temporal/history-events.ts';
import type { Context } from './context.ts';
import type { Epochs } from './epochs.ts';

const ROUND_MS = 5_000;
/** A batch that was confirmed more recently is most likely still being persisted. */
const MIN_AGE_MS = 10_000;

/**
 * Finds releases that were lost, and redoes them: a recovery may adopt a batch whose workflow releases it a moment before
 * the new epoch is installed. Only a workflow that COMPLETED with the batch's own id counts. Answers a function that stops.
 */
export function startSweeper(ctx: Context, epochs: Epochs): () => void {
  const cursors = new Map<number, string>();

  async function sweep(partition: number): Promise<void> {
    const deadlineAt = performance.now() + ROUND_MS;
    const { epoch, page } = await epochs.use(partition, deadlineAt, async (current) => ({
      epoch: current,
      page: await sweepPage(ctx.redis, {
        partition,
        epoch: current,
        olderThanMs: MIN_AGE_MS,
        cursor: cursors.get(partition) ?? '0',
      }),
    }));
    cursors.set(partition, page.cursor);
    for (const { batchId, slot, runId } of page.confirmed) {
      try {
        await redo(partition, epoch, batchId, { partition, slot, runId });
      } catch (error) {
        if (isTemporalUnreachable(error) || error instanceof EpochChanged) throw error;
        // One that cannot be read must not keep the others from being looked at.
        ctx.log.warn({ err: error, batchId }, 'could not redo a release');
      }
    }
    if (page.dangling.length > 0) {
      const removed = await forgetEntries(ctx.redis, { partition, epoch }, page.dangling);
      ctx.log.info({ partition, removed }, 'removed index entries of batches that are done');
    }
  }

  async function redo(
    partition: number,
    epoch: Epoch,
    batchId: BatchId,
    place: SlotRun & { runId: string },
  ): Promise<void> {
    const run = { ...place, deadlineMs: ctx.environment.TEMPORAL_TIMEOUT_MS };
    const found = await describeSlot(ctx.temporal, run);
    if (found.state !== 'completed' || found.batchId !== batchId) return;
    const input = await readInput(ctx.temporal, run);
    const result = await readResult(ctx.temporal, run);
    if (input === undefined || result === undefined) return;
    await releaseBatch(ctx.redis, {
      batchId,
      partition,
      epoch,
      entries: input.mutations,
      setAside: [...result.setAside, ...result.discarded],
      outcome: result.outcome,
    });
    ctx.log.info({ batchId, outcome: result.outcome }, 'redid a release that was lost');
  }

  let sweeping = false;
  async function round(): Promise<void> {
    if (sweeping) return;
    sweeping = true;
    for (let partition = 0; partition < ctx.environment.PARTITIONS; partition++) {
      await sweep(partition).catch((error: unknown) =>
        ctx.log.debug({ err: error, partition }, 'could not look for lost releases'),
      );
    }
    sweeping = false;
  }
  const timer = setInterval(() => void round(), ROUND_MS);
  timer.unref();
  return () => clearInterval(timer);
}
