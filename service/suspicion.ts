import { GATHER_MS, NEXT_TRY_MS } from '../config/cache-repair.ts';
import type { Version } from '../domain/version.ts';
import { writtenAroundUntil } from '../storage/postgres/written-around.ts';
import { COMMIT_MARGIN_MS } from './block.ts';
import type { Context } from './context.ts';

/** How long after this process others may find Redis again, and write around it until then. */
const OTHERS_MS = 5_000;
const ASK_MS = 1_000;

/**
 * Whether cached copies may be older than their rows: somebody may have written around Redis a moment ago, and the order to
 * drop older copies may still be on its way.
 */
export interface Suspicion {
  /** Of this moment. To be asked at each new connection, too: one that nobody asked about before the next would be missed. */
  active(): boolean;
  /**
   * Whether a copy of this version was written since the suspicion began, through Redis: then it is newer than what was
   * written around Redis before.
   */
  writtenSince(version: Version): boolean;
  /** Asks the database whether there were such writes before this process began. @throws errors of PostgreSQL. */
  learn(): Promise<void>;
}

/** A return of Redis after which copies are suspected. Times are those of `performance.now()`, in ms. */
interface Return {
  readonly at: number;
  readonly lostAt: number;
  /** Until when: the longest, until PostgreSQL has answered. */
  until: number;
}

/**
 * Each write around Redis notes in PostgreSQL, before it commits, until when copies may be older while Redis can be told; a worker
 * that cannot tell it notes that anew. A process that has just started asks for that. One that lost Redis, as others did most likely, who may be a little longer without it, asks
 * whether there were such writes since: they can be told of only now. What PostgreSQL does not say is the worst.
 * A connection that breaks again soon after an outage makes another return, for which there may have been no such write: what is
 * suspected for the first one stays.
 */
export function createSuspicion(ctx: Context): Suspicion {
  const longestMs = suspicionMs(ctx);
  let until = Number.NEGATIVE_INFINITY;
  let learnedAt = Number.NEGATIVE_INFINITY;
  /** The latest return, and all for which copies are suspected still. */
  let askedFor = ctx.redis.reconnectedAt();
  let returns: readonly Return[] = [];

  /** Answers the latest instant that was noted, by this process's monotonic clock. */
  async function learn(): Promise<number> {
    const leftMs = (await writtenAroundUntil(ctx.db)) / 1_000 - Date.now();
    learnedAt = performance.now();
    // Not longer than such a time can be: the clock of this process may be wrong.
    until = learnedAt + Math.min(leftMs, longestMs);
    return learnedAt + leftMs;
  }

  /** Asks until it was answered and others are back, too; from a later return on, that one's asking is for all. */
  async function follow(reconnectedAt: number): Promise<void> {
    // An answer says nothing of a return that comes while it is waited for.
    const before = returns;
    const noted = await learn().catch(() => undefined);
    if (noted !== undefined) {
      const latest = noted + ctx.environment.CLOCK_TOLERANCE_MS;
      for (const one of before) one.until = one.at + (latest >= one.lostAt ? longestMs : OTHERS_MS);
    }
    const now = performance.now();
    returns = returns.filter(({ until }) => now <= until);
    if (askedFor === reconnectedAt && returns.length > 0) setTimeout(follow, ASK_MS, reconnectedAt).unref();
  }

  return {
    active: () => {
      const reconnectedAt = ctx.redis.reconnectedAt();
      if (reconnectedAt !== askedFor) {
        askedFor = reconnectedAt;
        const lostAt = ctx.redis.lostAt();
        returns = [...returns, { at: reconnectedAt, lostAt, until: reconnectedAt + longestMs }];
        void follow(reconnectedAt);
      }
      const now = performance.now();
      return now <= until || returns.some((one) => now <= one.until);
    },
    writtenSince(version) {
      const now = performance.now();
      const began = Math.max(ctx.redis.reconnectedAt(), now <= until ? learnedAt : Number.NEGATIVE_INFINITY);
      // Versions are Redis' time, or that of a process: never further from ours than is tolerated.
      return version > (Date.now() - (now - began) + ctx.environment.CLOCK_TOLERANCE_MS) * 1_000;
    },
    async learn() {
      await learn();
    },
  };
}

/**
 * How long after a write around Redis was begun copies are held against their rows, in ms: it waits for the clocks and its
 * order, has one PostgreSQL timeout until its deadline, may commit as much and a margin later, and then a workflow has to
 * come to tell Redis. Too long costs reads of rows; too short, and an old copy is returned as the newest.
 */
export function suspicionMs({ environment }: Context): number {
  const { POSTGRES_TIMEOUT_MS, CLOCK_TOLERANCE_MS } = environment;
  const decidedMs = 5 * CLOCK_TOLERANCE_MS + GATHER_MS + 2 * POSTGRES_TIMEOUT_MS + COMMIT_MARGIN_MS;
  return decidedMs + NEXT_TRY_MS;
}
