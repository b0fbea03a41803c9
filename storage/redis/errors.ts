import type { Epoch } from '../../domain/epoch.ts';

/** Redis did not run the script, for certain: nothing was sent, or it was refused before its first write. */
export class RedisUnavailable extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RedisUnavailable';
  }
}

/** Nothing was sent: there is no connection. Only then may a write go around Redis. */
export class RedisUnreachable extends RedisUnavailable {
  constructor(message: string, cause?: unknown) {
    super(message, cause);
    this.name = 'RedisUnreachable';
  }
}

/** The script was sent and not answered. It may have run, or may still run: never send it again. */
export class RedisOutcomeUnknown extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RedisOutcomeUnknown';
  }
}

/** Redis is at its memory limit and refused the script before its first write. */
export class RedisOutOfMemory extends Error {
  constructor(cause: unknown) {
    super('Redis has reached its memory limit', { cause });
    this.name = 'RedisOutOfMemory';
  }
}

/** The partition is in another epoch than the caller believed. `current` is '' where it must be recovered first. */
export class EpochChanged extends Error {
  readonly current: Epoch | '';

  constructor(current: Epoch | '', message?: string) {
    super(message ?? (current === '' ? 'the partition must be recovered' : `the epoch is ${current} now`));
    this.name = 'EpochChanged';
    this.current = current;
  }
}

/** The epoch is one of another installation, whose memory is none of the caller's business: nothing was read or written. */
export class OtherInstallationsRedis extends EpochChanged {
  constructor(current: Epoch) {
    super(
      current,
      `This Redis holds the data of another Holdfast database (its epoch is ${current}). Nothing was changed in it, and nothing is lost. ` +
        'Give this process the Redis of its own installation (REDIS_URL).',
    );
    this.name = 'OtherInstallationsRedis';
  }
}

/** ioredis rejects with this text, and only with this, what it never wrote to the socket. */
const NEVER_SENT = "Stream isn't writeable and enableOfflineQueue options is false";

/** How the text of an error ends that comes from the middle of a script. */
const INSIDE_SCRIPT = / script: [0-9a-f]{40}, on @/;

/** Replies by which Redis refuses a command before it runs. Any other reply may come from the middle of a script. */
const REFUSED_BEFORE_RUNNING =
  /^(NOSCRIPT|LOADING|READONLY|MASTERDOWN|BUSY|NOAUTH|NOPERM|WRONGPASS|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOREPLICAS|MISCONF)\b/;

export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** Sorts what ioredis rejects with by the one question that matters: may the script have run? */
export function classifyRedisError(
  error: unknown,
): RedisUnavailable | RedisOutOfMemory | RedisOutcomeUnknown {
  const message = error instanceof Error ? error.message : String(error);
  if (message === NEVER_SENT) return new RedisUnreachable('Redis is not connected', error);
  if (INSIDE_SCRIPT.test(message)) return new RedisOutcomeUnknown(message, error);
  if (message.startsWith('OOM ')) return new RedisOutOfMemory(error);
  if (REFUSED_BEFORE_RUNNING.test(message)) return new RedisUnavailable(message, error);
  return new RedisOutcomeUnknown(message, error);
}
