import { type BatchId, parseBatchId } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { deadLettersOf } from '../storage/postgres/dead-letters.ts';
import { batchProgress } from '../storage/redis/confirm.ts';
import { parseBatchEvent } from '../storage/redis/release.ts';
import type { Context } from './context.ts';
import type { Epochs } from './epochs.ts';
import type { Flusher } from './flusher.ts';
import type { Waiters } from './waiters.ts';

/** Messages may be lost: waiters that have waited this long ask for themselves, this often. */
const ASK_MS = 300;

/**
 * Tells waiting writes how their batches come along: from the messages of the scripts, and by asking where a message may
 * have been missed. Answers a function that stops it.
 */
export function followBatches(ctx: Context, epochs: Epochs, waiters: Waiters, flusher: Flusher): () => void {
  ctx.redis.subscribe(
    (message) => {
      const news = parseBatchEvent(message);
      if (news === undefined) return;
      if (news.event === 'queued') {
        waiters.tell(news.batchId, { event: 'queued' });
        return;
      }
      if (news.event === 'refused') waiters.tell(news.batchId, { event: 'unknown' });
      else waiters.tell(news.batchId, { event: 'persisted', setAside: new Set(news.setAside) });
      const partition = parseBatchId(news.batchId)?.partition ?? 0;
      if (waiters.waitingForQueue(partition) > 0) flusher.wake(partition);
    },
    () => ask(0),
  );

  async function askPartition(partition: number, batchIds: BatchId[]): Promise<void> {
    const { epoch, progress } = await epochs.use(
      partition,
      performance.now() + ctx.environment.REDIS_TIMEOUT_MS,
      async (epoch) => ({ epoch, progress: await batchProgress(ctx.redis, partition, epoch, batchIds) }),
    );
    for (const [i, batchId] of batchIds.entries()) {
      const state = progress[i];
      if (state === 'queued') waiters.tell(batchId, { event: 'queued' });
      // Of an older epoch and not adopted by this one: nobody can tell what became of it.
      else if (parseBatchId(batchId)?.epoch !== epoch) waiters.tell(batchId, { event: 'unknown' });
      else if (state === 'gone') {
        const waiting = waiters.writesOf(batchId);
        const setAside = new Set((await deadLettersOf(ctx.db, batchId, waiting)).map(entryId));
        waiters.tell(batchId, { event: 'persisted', setAside });
      }
    }
  }

  let asking = false;
  async function askAll(ageMs: number): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      // Side by side: a partition that cannot be used just now must not keep the others' writes waiting.
      const asked = [...waiters.overdue(ageMs)].map(([partition, batchIds]) =>
        askPartition(partition, batchIds),
      );
      const failed = (await Promise.allSettled(asked)).find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } finally {
      asking = false;
    }
  }
  function ask(ageMs: number): void {
    askAll(ageMs).catch((error: unknown) =>
      ctx.log.debug({ err: error }, 'could not ask how batches come along'),
    );
  }

  const timer = setInterval(() => ask(ASK_MS), ASK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
