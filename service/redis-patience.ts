import { RedisOutcomeUnknown, RedisUnavailable } from '../storage/redis/errors.ts';

/** A connection that broke is back within this where Redis is well, in ms. */
const RECONNECT_MS = 300;

/** How soon to look again, in ms. */
export const RECONNECT_PAUSE_MS = 20;

/** How long Redis has been away for this process, so that a broken connection is told from an outage. */
export interface RedisPatience {
  /** Redis answered. */
  answered(): void;
  /** A call that began then (`performance.now()`) failed. Whether to wait for the connection: Redis is not away for long. */
  failed(error: unknown, began: number): boolean;
}

export function createRedisPatience(): RedisPatience {
  let awaySince: number | undefined;
  return {
    answered() {
      awaySince = undefined;
    },
    failed(error, began) {
      if (!(error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown)) return false;
      awaySince ??= began;
      return performance.now() - awaySince < RECONNECT_MS;
    },
  };
}
