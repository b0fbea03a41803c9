import { type BatchId, batchId } from '../../domain/batch.ts';
import { allPartitions } from '../../domain/partition.ts';
import type { PartitionOverview } from '../../storage/redis/overview.ts';
import type { Context } from '../context.ts';
import { pause, remainingMs } from '../deadline.ts';
import type { Epochs } from '../epochs.ts';
import type { Flusher } from '../flusher.ts';
import type { Operations } from '../operations.ts';
import { ownOverview } from '../own-redis.ts';
import { unavailable } from '../trouble.ts';

/** Kept back, so that the answer says what is left. */
const ANSWER_MS = 500;
const LOOK_PAUSE_MS = 100;

/** Offers what is staged at once, and waits until the batches that were there when it began are settled. */
export function createFlush(
  ctx: Context,
  { epochs, flusher }: { readonly epochs: Epochs; readonly flusher: Flusher },
): Operations['flush'] {
  const look = (partition: number, deadlineAt: number) =>
    epochs.use(partition, deadlineAt, () => ownOverview(ctx, partition));

  /** Answers how many batches are left when the time is up. */
  async function settle(partition: number, flushBy: number, deadlineAt: number): Promise<number> {
    const seen = await look(partition, deadlineAt);
    let epoch = seen.epoch;
    let last = openBatch(seen, partition);
    let waiting = batchesIn(seen, partition);
    while (waiting.length > 0 && remainingMs(flushBy) > 0) {
      // Where no slot is free or Temporal is away, every process goes on trying, and time may help.
      await flusher.flushThrough(partition, last, flushBy).catch(() => false);
      const now = await look(partition, deadlineAt);
      const there = batchesIn(now, partition);
      if (now.epoch === epoch) waiting = waiting.filter((id) => there.includes(id));
      else {
        // After a recovery batches have other names: all that are there are waited for, which may be more.
        [epoch, last, waiting] = [now.epoch, openBatch(now, partition), there];
      }
      if (waiting.length > 0 && remainingMs(flushBy) > 0) await pause(LOOK_PAUSE_MS, flushBy);
    }
    return waiting.length;
  }

  return async ({ by }, { deadlineAt }) => {
    const flushBy = deadlineAt - ANSWER_MS;
    ctx.log.info({ by }, 'flushing on request');
    const partitions = allPartitions(ctx.environment.PARTITIONS);
    try {
      const counts = await Promise.all(partitions.map((partition) => settle(partition, flushBy, deadlineAt)));
      const left = counts.flatMap((batches, partition) => (batches === 0 ? [] : [{ partition, batches }]));
      return { persisted: left.length === 0, left };
    } catch (error) {
      throw unavailable(error);
    }
  };
}

function openBatch({ epoch, openNumber }: PartitionOverview, partition: number): BatchId {
  return batchId(epoch, partition, openNumber);
}

/** Every batch with writes that may not be in PostgreSQL. */
function batchesIn(seen: PartitionOverview, partition: number): BatchId[] {
  const open = seen.open.entries > 0 ? [openBatch(seen, partition)] : [];
  const others = [...seen.closed, ...seen.sent].map((batch) => batch.batchId);
  return [...new Set([...open, ...others])];
}
