import { releaseBatch } from '../storage/redis/release.ts';
import { forgetEntries, sweepPage } from '../storage/redis/sweep.ts';
import { describeSlot } from '../storage/temporal/describe-slot.ts';
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
      const run = { partition, slot, runId, deadlineMs: ctx.environment.TEMPORAL_TIMEOUT_MS };
      const found = await describeSlot(ctx.temporal, run);
      if (found.state !== 'completed' || found.batchId !== batchId) continue;
      const input = await readInput(ctx.temporal, run);
      const result = await readResult(ctx.temporal, run);
      if (input === undefined || result === undefined) continue;
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
    if (page.dangling.length > 0) {
      const removed = await forgetEntries(ctx.redis, { partition, epoch }, page.dangling);
      ctx.log.info({ partition, removed }, 'removed index entries of batches that are done');
    }
  }

  let sweeping = false;
  async function round(): Promise<void> {
    if (sweeping) return;
    sweeping = true;
    try {
      for (let partition = 0; partition < ctx.environment.PARTITIONS; partition++) await sweep(partition);
    } catch (error) {
      ctx.log.debug({ err: error }, 'could not look for lost releases');
    } finally {
      sweeping = false;
    }
  }
  const timer = setInterval(() => void round(), ROUND_MS);
  timer.unref();
  return () => clearInterval(timer);
}
