import { LRUCache } from 'lru-cache';
import { type Acknowledgement, satisfies } from '../domain/acknowledgement.ts';
import { type BatchId, parseBatchId } from '../domain/batch.ts';
import type { EntryVersion } from '../domain/mutation.ts';

/** What waiting writes learn. */
export interface WaitResult {
  /** `unknown`: nobody can tell. `timeout`: they gave up. */
  readonly level: Acknowledgement | 'unknown' | 'timeout';
  /** Ids of entries of the batch whose mutations did not reach their rows. */
  readonly setAside: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

interface Waiter {
  /** The writes that wait; a later one of the same entry may have replaced one of them in the batch. */
  readonly writes: readonly EntryVersion[];
  readonly wanted: Acknowledgement;
  readonly since: number;
  reached: Acknowledgement;
  /** No longer waits to be queued. */
  leaveQueue(): void;
  settle(level: WaitResult['level'], setAside?: ReadonlySet<string>): void;
}

/** News of a batch, from this process or by message. */
export type BatchNews =
  | { readonly event: 'queued' }
  | { readonly event: 'persisted'; readonly setAside: ReadonlySet<string> }
  | { readonly event: 'unknown' };

/** Writes that wait for their batch to come further. They name the full batch id: numbers repeat over epochs. */
export interface Waiters {
  /**
   * Waits until the batch of these writes reached `wanted`, or its fate is known to be otherwise, or `timeoutMs` passed;
   * then the result is the best level reached, or `timeout` where that is only `cached`.
   */
  wait(
    batchId: BatchId,
    writes: readonly EntryVersion[],
    wanted: Acknowledgement,
    timeoutMs: number,
  ): Promise<WaitResult>;
  /** The writes that wait for a batch. */
  writesOf(batchId: BatchId): EntryVersion[];
  tell(batchId: BatchId, news: BatchNews): void;
  /** How many writes of a partition wait to be queued. */
  waitingForQueue(partition: number): number;
  /** Batches that somebody waits for since at least `ageMs`, by partition. */
  overdue(ageMs: number): Map<number, BatchId[]>;
}

const RECENT_BATCHES = 512;

export function createWaiters(): Waiters {
  const waiting = new Map<BatchId, Set<Waiter>>();
  const forQueue: number[] = [];
  // A message can be faster than the answer of the script that staged the write.
  const recent = new LRUCache<BatchId, BatchNews>({ max: RECENT_BATCHES });

  function apply(waiter: Waiter, news: BatchNews): void {
    if (news.event === 'unknown') {
      waiter.settle(waiter.reached === 'cached' ? 'unknown' : waiter.reached);
    } else if (news.event === 'persisted') {
      waiter.settle('persisted', news.setAside);
    } else {
      waiter.reached = 'queued';
      waiter.leaveQueue();
      if (satisfies('queued', waiter.wanted)) waiter.settle('queued');
    }
  }

  function count(partition: number, by: number): void {
    forQueue[partition] = (forQueue[partition] ?? 0) + by;
  }

  return {
    wait(batchId, writes, wanted, timeoutMs) {
      const partition = parseBatchId(batchId)?.partition ?? 0;
      return new Promise((resolve) => {
        let settled = false;
        let inQueue = true;
        const waiter: Waiter = {
          writes,
          wanted,
          since: performance.now(),
          reached: 'cached',
          leaveQueue() {
            if (inQueue) count(partition, -writes.length);
            inQueue = false;
          },
          settle(level, setAside = NONE) {
            if (settled) return;
            settled = true;
            clearTimeout(timer);
            waiter.leaveQueue();
            const others = waiting.get(batchId);
            others?.delete(waiter);
            if (others?.size === 0) waiting.delete(batchId);
            resolve({ level, setAside });
          },
        };
        const timer = setTimeout(() => {
          waiter.settle(waiter.reached === 'cached' ? 'timeout' : waiter.reached);
        }, timeoutMs);
        count(partition, writes.length);
        const known = recent.get(batchId);
        if (known !== undefined) apply(waiter, known);
        if (settled) return;
        const others = waiting.get(batchId);
        if (others === undefined) waiting.set(batchId, new Set([waiter]));
        else others.add(waiter);
      });
    },
    writesOf: (batchId) => [...(waiting.get(batchId) ?? [])].flatMap(({ writes }) => writes),
    tell(batchId, news) {
      if (news.event === 'persisted' || (news.event === 'queued' && !recent.has(batchId)))
        recent.set(batchId, news);
      for (const waiter of [...(waiting.get(batchId) ?? [])]) apply(waiter, news);
    },
    waitingForQueue: (partition) => forQueue[partition] ?? 0,
    overdue(ageMs) {
      const before = performance.now() - ageMs;
      const found = new Map<number, BatchId[]>();
      for (const [batchId, waiters] of waiting) {
        const partition = parseBatchId(batchId)?.partition;
        if (partition === undefined || ![...waiters].some((waiter) => waiter.since <= before)) continue;
        found.set(partition, [...(found.get(partition) ?? []), batchId]);
      }
      return found;
    },
  };
}
