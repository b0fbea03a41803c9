import type { Environment } from '../config/environment.ts';

/** Commits of a statement that has begun are not timed: this much is left for them, in ms. */
export const COMMIT_MARGIN_MS = 10_000;

/**
 * How long a write-through keeps others from filling the cache. Longer than its statement can take to commit: it may begin
 * within one statement timeout (on PostgreSQL's clock, hence the tolerance) and run for another.
 */
export function blockMs(environment: Environment): number {
  return 2 * environment.POSTGRES_TIMEOUT_MS + 2 * environment.CLOCK_TOLERANCE_MS + COMMIT_MARGIN_MS;
}
