import { setTimeout as sleep } from 'node:timers/promises';
import { GATHER_MS } from '../config/cache-repair.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import { noteWrittenAround } from '../storage/postgres/written-around.ts';
import { startCacheRepair } from '../storage/temporal/start-cache-repair.ts';
import { COMMIT_MARGIN_MS } from './block.ts';
import type { Context } from './context.ts';
import { invalidateOwn } from './own-redis.ts';
import { suspicionMs } from './suspicion.ts';
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
  readonly deadline: number;
  resolve(): void;
  reject(error: unknown): void;
}

export interface CacheRepairs {
  /**
   * Makes sure that Redis will be told of a write around it that does not begin to commit past `deadline` (ms since 1970), and
   * that whoever starts until then knows of it; resolves once Temporal has the order and PostgreSQL the note, up to `GATHER_MS`
   * and one call later. The write must not commit before.
   * @throws TemporalUnreachable, errors of PostgreSQL: then the write must not happen.
   */
  announce(partition: number, entry: EntryVersion, deadline: number): Promise<void>;
  /**
   * Tells Redis of a committed write as soon as it is back. The workflow waits until a commit in doubt is decided; this one
   * is not in doubt. Best effort: the workflow makes sure.
   */
  tellSoon(partition: number, entry: EntryVersion): void;
}

/**
 * Repairs of one partition travel together: the first is started at once, what comes within `GATHER_MS` of it goes with the
 * next. Redis is told when the deadline has passed on every clock, and again when a commit that had begun by then is over.
 */
export function createCacheRepairs(ctx: Context): CacheRepairs {
  const { CLOCK_TOLERANCE_MS, POSTGRES_TIMEOUT_MS, TEMPORAL_TIMEOUT_MS } = ctx.environment;
  const queues = new Map<number, Waiting[]>();
  const running = new Set<number>();

  async function start(partition: number, group: readonly Waiting[]): Promise<void> {
    try {
      const deadline = Math.max(...group.map((waiting) => waiting.deadline));
      await startCacheRepair(ctx.temporal, {
        partition,
        installation: await ctx.installation(),
        entries: group.map((waiting) => waiting.entry),
        delayMs: Math.max(0, deadline + CLOCK_TOLERANCE_MS - Date.now()),
        againMs: POSTGRES_TIMEOUT_MS + COMMIT_MARGIN_MS,
        token: uniqueToken(),
        deadlineMs: TEMPORAL_TIMEOUT_MS,
      });
      for (const waiting of group) waiting.resolve();
    } catch (error) {
      for (const waiting of group) waiting.reject(error);
    }
  }

  async function drain(partition: number): Promise<void> {
    if (running.has(partition)) return;
    running.add(partition);
    for (;;) {
      const round = queues.get(partition)?.splice(0) ?? [];
      if (round.length === 0) break;
      const gathered = sleep(GATHER_MS, undefined, { ref: false });
      const groups = Array.from({ length: Math.ceil(round.length / MAX_ENTRIES) }, (_, i) =>
        round.slice(i * MAX_ENTRIES, (i + 1) * MAX_ENTRIES),
      );
      await Promise.all([gathered, ...groups.map((group) => start(partition, group))]);
    }
    running.delete(partition);
  }

  const untold = new Map<number, EntryVersion[]>();

  async function tell(partition: number, entries: EntryVersion[]): Promise<void> {
    while (entries.length > 0) {
      const page = entries.slice(0, TELL_PAGE);
      try {
        await invalidateOwn(ctx, partition, page);
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
    async announce(partition, entry, deadline) {
      const ordered = new Promise<void>((resolve, reject) => {
        const queue = queues.get(partition) ?? [];
        queues.set(partition, queue);
        queue.push({ entry, deadline, resolve, reject });
        void drain(partition);
      });
      const noted = noteWrittenAround(ctx.db, partition, (Date.now() + suspicionMs(ctx)) * 1_000);
      await Promise.all([ordered, noted]);
    },
  };
}
