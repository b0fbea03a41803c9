import type { Environment } from '../config/environment.ts';
import { HoldfastError } from '../domain/errors.ts';
import { describeError, didNotHappen, isUnreachable } from '../storage/postgres/errors.ts';
import { remainingMs } from './deadline.ts';
import { unavailable } from './trouble.ts';

/** Within what the client waits for a statement beyond the server's own limit: see database.ts. */
const BEYOND_STATEMENT_MS = 300;

/**
 * How long a decision waits for batches that are being persisted, in ms. A little longer than a statement may take: while
 * PostgreSQL takes no writes, each of them holds the lock for as long as that.
 */
export function lockTimeoutMs({ POSTGRES_TIMEOUT_MS }: Environment, deadlineAt: number): number {
  return Math.min(POSTGRES_TIMEOUT_MS + BEYOND_STATEMENT_MS, remainingMs(deadlineAt));
}

/** The failure of the transaction that makes a decision. Where its commit may be in doubt, that is said. */
export function decisionFailure(error: unknown): unknown {
  if (error instanceof HoldfastError || didNotHappen(error) || !isUnreachable(error)) {
    return unavailable(error);
  }
  return new HoldfastError(
    'outcome-unknown',
    `PostgreSQL did not confirm the decision (${describeError(error)}). It was recorded or it was not: the dead letters show it, and repeating the request is harmless.`,
    { retryAfterSeconds: 1, cause: error },
  );
}
