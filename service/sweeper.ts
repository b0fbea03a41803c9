import { sweepPage } from '../storage/redis/sweep.ts';
import { lookAfter, type SweepNews } from '../storage/upkeep/look-after.ts';
import { reportSweep } from '../storage/upkeep/report-sweep.ts';
import type { Context } from './context.ts';
import type { Epochs } from './epochs.ts';

/** Sweeps every partition again and again: a page of each at a time. Answers a function that stops. */
export function startSweeper(ctx: Context, epochs: Epochs): () => void {
  const { PARTITIONS, SWEEP_INTERVAL_MS, TEMPORAL_TIMEOUT_MS, REQUEST_DEADLINE_MS } = ctx.environment;
  const cursors = new Map<number, string>();
  const { redis, temporal } = ctx;
  const tell = (news: SweepNews) => reportSweep(ctx, news);
  const deps = { redis, temporal, deadlineMs: TEMPORAL_TIMEOUT_MS, tell };

  async function sweep(partition: number): Promise<void> {
    const deadlineAt = performance.now() + REQUEST_DEADLINE_MS;
    const { epoch, page } = await epochs.use(partition, deadlineAt, async (current) => ({
      epoch: current,
      page: await sweepPage(redis, {
        partition,
        epoch: current,
        // One that was confirmed more recently is most likely still being persisted.
        olderThanMs: 2 * SWEEP_INTERVAL_MS,
        cursor: cursors.get(partition) ?? '0',
      }),
    }));
    cursors.set(partition, page.cursor);
    await lookAfter(deps, { partition, epoch }, page);
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
