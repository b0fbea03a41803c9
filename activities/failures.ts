import { ApplicationFailure } from '@temporalio/activity';
import { describeError, isPermanentError, isUnreachable, sqlState } from '../storage/postgres/errors.ts';

/** The failure type that parks a batch: no retry of the same batch can succeed until a person mended something. */
const PERMANENT = 'permanent';

/**
 * An error of PostgreSQL as Temporal should see it: type `permanent` (not retryable) with the SQLSTATE in its details, else
 * a SQLSTATE, `unreachable` or `unexpected`. The original is not attached as a cause: its detail quotes rows, and failures
 * stay in the history.
 * @param parked the batch waits for a person: then everything is retryable, or the wait would end.
 */
export function persistFailure(error: unknown, parked: boolean): ApplicationFailure {
  const message = describeError(error);
  if (isPermanentError(error) && !parked)
    return ApplicationFailure.nonRetryable(message, PERMANENT, sqlState(error));
  return ApplicationFailure.retryable(
    message,
    isUnreachable(error) ? 'unreachable' : (sqlState(error) ?? 'unexpected'),
  );
}

/** An error of a release. Always retryable: a release is tried until it is done. Its type is the error's name. */
export function releaseFailure(error: unknown): ApplicationFailure {
  return ApplicationFailure.retryable(
    describeError(error),
    error instanceof Error ? error.name : 'unexpected',
  );
}
