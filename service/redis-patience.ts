import type { RedisStore } from '../storage/redis/client.ts';
import { RedisOutcomeUnknown, RedisUnavailable } from '../storage/redis/errors.ts';

/** A connection that broke is back within this where Redis is well, in ms. */
const RECONNECT_MS = 300;

/** How soon to look again, in ms. */
export const RECONNECT_PAUSE_MS = 20;

/** How long Redis has been away for this process, so that a broken connection is told from an outage. */
export interface RedisPatience {
  /** A call that began then (`performance.now()`) failed. Whether to wait for the connection: Redis is not away for long. */
  failed(error: unknown, began: number): boolean;
}

/** Whoever is answered ends an outage: after it there may be no reads and writes for long, but the flusher always looks. */
export function createRedisPatience(redis: Pick<RedisStore, 'answeredAt'>): RedisPatience {
  let awaySince: number | undefined;
  return {
    failed(error, began) {
      if (!(error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown)) return false;
      if (awaySince === undefined || redis.answeredAt() > awaySince) awaySince = began;
      return performance.now() - awaySince < RECONNECT_MS;
    },
  };
}
