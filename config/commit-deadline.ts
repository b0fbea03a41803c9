import type { Environment } from './environment.ts';

/**
 * How long after its version was taken a write may still commit without passing a partition's fence (write-through, and
 * around Redis), in ms. Such a version is taken while the request runs, at or above the time, and its statement refuses to
 * commit once the request is over.
 */
export function longestCommitMs({ REQUEST_DEADLINE_MS }: Pick<Environment, 'REQUEST_DEADLINE_MS'>): number {
  return REQUEST_DEADLINE_MS;
}
