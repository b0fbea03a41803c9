import { writtenAroundUntil } from '../storage/postgres/written-around.ts';
import type { Context } from './context.ts';

/** Longer than the workflow that tells Redis waits between two tries. */
const TOLD_WITHIN_MS = 10_000;

/**
 * Whether cached copies may be older than their rows: somebody may have written around Redis a moment ago, and the order to
 * drop older copies may still be on its way.
 */
export interface Suspicion {
  /** Of this moment. */
  active(): boolean;
  /** Asks the database whether there were such writes before this process began. @throws errors of PostgreSQL. */
  learn(): Promise<void>;
}

/**
 * Writes around Redis commit within one PostgreSQL timeout, and Redis is told by then and a few seconds more. A process that
 * lost Redis was not the only one, most likely; one that has just started has to ask.
 */
export function createSuspicion(ctx: Context): Suspicion {
  const longestMs = suspicionMs(ctx);
  let until = Number.NEGATIVE_INFINITY;
  return {
    active: () => {
      const now = performance.now();
      return now <= until || now <= ctx.redis.reconnectedAt() + longestMs;
    },
    async learn() {
      const leftMs = (await writtenAroundUntil(ctx.db)) / 1_000 - Date.now();
      // Not longer than such a time can be: the clock of this process may be wrong.
      until = performance.now() + Math.min(leftMs, longestMs);
    },
  };
}

/** How long after a write around Redis was begun copies are held against their rows, in ms. */
export function suspicionMs({ environment }: Context): number {
  return environment.POSTGRES_TIMEOUT_MS + 2 * environment.CLOCK_TOLERANCE_MS + TOLD_WITHIN_MS;
}
