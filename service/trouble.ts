import type { Logger } from 'pino';
import { HoldfastError } from '../domain/errors.ts';
import type { Version } from '../domain/version.ts';
import { describeError, isUnreachable, sqlState } from '../storage/postgres/errors.ts';
import { RedisOutcomeUnknown, RedisOutOfMemory, RedisUnavailable } from '../storage/redis/errors.ts';
import { isTemporalUnreachable, UnreadableBatch } from '../storage/temporal/errors.ts';

/** Seconds after which trying again makes sense while a dependency is away. */
const RETRY_AFTER_SECONDS = 1;
const REMEDY_AFTER_SECONDS = 30;

/**
 * The failure of a step that changes nothing (a read, a recovery), or that certainly did not happen, as its caller should
 * see it. Errors of our own making pass through: they are mistakes, not trouble.
 */
export function unavailable(error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  if (error instanceof RedisOutOfMemory) return redisFull(error);
  if (error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown) {
    return new HoldfastError('dependency-unavailable', `Redis cannot be used right now (${error.message}).`, {
      dependency: 'redis',
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      cause: error,
    });
  }
  if (isTemporalUnreachable(error)) {
    return new HoldfastError(
      'dependency-unavailable',
      'Temporal cannot be reached, so writes that wait there cannot be ruled out.',
      { dependency: 'temporal', retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error },
    );
  }
  if (error instanceof UnreadableBatch) {
    return new HoldfastError(
      'dependency-unavailable',
      `Temporal holds writes that this process cannot read (${error.message}): ${error.remedy}. Nothing accepted is lost; this request did nothing.`,
      { dependency: 'temporal', retryAfterSeconds: REMEDY_AFTER_SECONDS, cause: error },
    );
  }
  if (isUnreachable(error) || sqlState(error) !== undefined) {
    return new HoldfastError(
      'dependency-unavailable',
      `PostgreSQL cannot be used right now (${describeError(error)}).`,
      { dependency: 'postgres', retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error },
    );
  }
  return error;
}

/** The failure of a write's decisive step. What certainly did not happen is said so; the rest is unknown. */
export function writeFailure(error: unknown): unknown {
  if (error instanceof RedisOutcomeUnknown)
    return outcomeUnknown(`Redis did not answer (${error.message}).`, error);
  return unavailable(error);
}

/** The write may or may not have happened. Never repeated on the caller's behalf: a repetition could count twice. */
export function outcomeUnknown(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'outcome-unknown',
    `${reason} The write may or may not have happened: read the entry to find out. A put or delete may be repeated; an increment that is repeated may count twice.`,
    { retryAfterSeconds: RETRY_AFTER_SECONDS, cause },
  );
}

export function queueFull(): HoldfastError {
  return new HoldfastError(
    'queue-full',
    'Too many writes wait for the database. This write did not happen; nothing accepted earlier is lost. Try again later.',
    { retryAfterSeconds: 5 },
  );
}

export function draining(): HoldfastError {
  return new HoldfastError(
    'draining',
    'An operator lets the queue to the database empty, so no write-behind writes are taken. This write did not happen; nothing accepted earlier is lost. Try again later.',
    { retryAfterSeconds: 5 },
  );
}

export function preconditionFailed(currentVersion: Version): HoldfastError {
  return new HoldfastError('precondition-failed', 'The entry is not in the state the request requires.', {
    currentVersion,
  });
}

export function counterOverflow(): HoldfastError {
  return new HoldfastError(
    'counter-overflow',
    'The counter would leave ±9007199254740991. This increment did not happen.',
  );
}

export function redisTooSlow(): HoldfastError {
  return new HoldfastError(
    'dependency-unavailable',
    'Redis answers too late. This write did not happen. Try again later.',
    { dependency: 'redis', retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/** For what is never decided without Redis: it may know of writes that nobody else does. */
export function redisNeeded(): HoldfastError {
  return new HoldfastError(
    'dependency-unavailable',
    'Redis cannot be reached, and only Redis knows the newest state. This write did not happen. Try again later.',
    { dependency: 'redis', retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

function redisFull(cause: unknown): HoldfastError {
  return new HoldfastError(
    'dependency-unavailable',
    'Redis has reached its memory limit. This write did not happen; nothing accepted earlier is lost. Try again later.',
    { dependency: 'redis', retryAfterSeconds: 5, cause },
  );
}

/** What one write of many is answered where the program has a fault: the others have their own answers. */
export function mistake(log: Pick<Logger, 'error'>, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  log.error({ err: error }, 'an operation of a batch failed for an unexpected reason');
  return new HoldfastError('internal', 'Holdfast made a mistake; its log names the reason.');
}
