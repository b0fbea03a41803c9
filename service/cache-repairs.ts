import { setTimeout as sleep } from 'node:timers/promises';
import type { EntryVersion } from '../domain/mutation.ts';
import { invalidateEntries } from '../storage/redis/invalidate.ts';
import { startCacheRepair } from '../storage/temporal/start-cache-repair.ts';
import type { Context } from './context.ts';
import { uniqueToken } from './tokens.ts';

/** One workflow tells Redis of at most so many entries. */
const MAX_ENTRIES = 500;
/** Past this many untold entries of a partition, further ones are left to their workflows. */
const MAX_UNTOLD = 10_000;
const TELL_PAUSE_MS = 50;
const TELL_PAGE = 100;

interface Waiting {
  readonly entry: EntryVersion;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  resolve(): void;
  reject(error: unknown): void;
}

export interface CacheRepairs {
  /**
   * Makes sure that Redis will be told of a write around it, not before `notBefore` (ms since 1970); resolves once Temporal
   * has the order. Call it before the write commits.
   * @throws TemporalUnreachable: then the write must not happen.
   */
  announce(partition: number, entry: EntryVersion, notBefore: number): Promise<void>;
  /**
   * Tells Redis of a committed write as soon as it is back. The workflow waits until a commit in doubt is decided; this one
   * is not in doubt. Best effort: the workflow makes sure.
   */
  tellSoon(partition: number, entry: EntryVersion): void;
}

/** Repairs of one partition travel together: one start in flight, and what comes meanwhile goes with the next. */
export function createCacheRepairs(ctx: Context): CacheRepairs {
  const queues = new Map<number, Waiting[]>();
  const running = new Set<number>();

  async function drain(partition: number): Promise<void> {
    if (running.has(partition)) return;
    running.add(partition);
    try {
      for (;;) {
        const group = queues.get(partition)?.splice(0, MAX_ENTRIES) ?? [];
        if (group.length === 0) return;
        try {
          await startCacheRepair(ctx.temporal, {
            partition,
            entries: group.map((waiting) => waiting.entry),
            notBefore: Math.max(...group.map((waiting) => waiting.notBefore)),
            token: uniqueToken(),
            deadlineMs: ctx.environment.TEMPORAL_TIMEOUT_MS,
          });
          for (const waiting of group) waiting.resolve();
        } catch (error) {
          for (const waiting of group) waiting.reject(error);
        }
      }
    } finally {
      running.delete(partition);
    }
  }

  const untold = new Map<number, EntryVersion[]>();

  async function tell(partition: number, entries: EntryVersion[]): Promise<void> {
    while (entries.length > 0) {
      const page = entries.slice(0, TELL_PAGE);
      try {
        await invalidateEntries(ctx.redis, partition, page);
        entries.splice(0, page.length);
      } catch {
        await sleep(TELL_PAUSE_MS, undefined, { ref: false });
      }
    }
    untold.delete(partition);
  }

  return {
    tellSoon(partition, entry) {
      const entries = untold.get(partition);
      if (entries === undefined) {
        const first = [entry];
        untold.set(partition, first);
        void tell(partition, first);
      } else if (entries.length < MAX_UNTOLD) {
        entries.push(entry);
      }
    },
    announce(partition, entry, notBefore) {
      return new Promise((resolve, reject) => {
        const queue = queues.get(partition) ?? [];
        queues.set(partition, queue);
        queue.push({ entry, notBefore, resolve, reject });
        void drain(partition);
      });
    },
  };
}
