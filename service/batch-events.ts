import { type BatchId, parseBatchId } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { deadLettersOf } from '../storage/postgres/dead-letters.ts';
import { wasRefused } from '../storage/postgres/fence.ts';
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

  function failed(error: unknown): void {
    ctx.log.debug({ err: error }, 'could not ask how batches come along');
  }

  /** Does the work unless the partition's last one is still under way. */
  function unlessUnderWay(underWay: Set<number>, partition: number, work: () => Promise<void>): void {
    if (underWay.has(partition)) return;
    underWay.add(partition);
    work()
      .catch(failed)
      .finally(() => underWay.delete(partition));
  }

  const askingRedis = new Set<number>();
  const askingPostgres = new Set<number>();

  async function askPartition(partition: number, batchIds: readonly BatchId[]): Promise<void> {
    const { epoch, progress } = await epochs.use(
      partition,
      performance.now() + ctx.environment.REDIS_TIMEOUT_MS,
      async (epoch) => ({ epoch, progress: await batchProgress(ctx.redis, partition, epoch, batchIds) }),
    );
    const gone: BatchId[] = [];
    for (const [i, batchId] of batchIds.entries()) {
      const state = progress[i];
      if (state === 'queued') waiters.tell(batchId, { event: 'queued' });
      // Of an older epoch and not adopted by this one: nobody can tell what became of it.
      else if (parseBatchId(batchId)?.epoch !== epoch) waiters.tell(batchId, { event: 'unknown' });
      else if (state === 'gone') gone.push(batchId);
    }
    // By itself: without PostgreSQL it takes long or fails, and what Redis alone can tell must not wait for it.
    if (gone.length > 0) unlessUnderWay(askingPostgres, partition, () => tellSettled(gone));
  }

  /** Redis forgets a batch that the fence refused as it does one that was persisted. */
  async function tellSettled(batchIds: readonly BatchId[]): Promise<void> {
    for (const batchId of batchIds) {
      const waiting = waiters.writesOf(batchId);
      // They may have given up while another batch was asked about.
      if (waiting.length === 0) continue;
      try {
        if (await wasRefused(ctx.db, batchId)) {
          waiters.tell(batchId, { event: 'unknown' });
          continue;
        }
        const setAside = await deadLettersOf(ctx.db, batchId, waiting);
        waiters.tell(batchId, { event: 'persisted', setAside: new Set(setAside.map(entryId)) });
      } catch (error) {
        failed(error);
      }
    }
  }

  /** Each partition for itself: one that cannot be used just now must not keep the others' writes waiting. */
  function ask(ageMs: number): void {
    for (const [partition, batchIds] of waiters.overdue(ageMs)) {
      unlessUnderWay(askingRedis, partition, () => askPartition(partition, batchIds));
    }
  }

  const timer = setInterval(() => ask(ASK_MS), ASK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
