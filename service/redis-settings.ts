import type { Logger } from 'pino';
import { SettingsError } from '../config/problem.ts';
import type { RedisStore, ServerSettings } from '../storage/redis/client.ts';

/**
 * What a Redis with these settings costs, in sentences for the log; `undefined` stands for settings that cannot be read.
 * @throws SettingsError where it may evict keys without a TTL: it would drop staged writes.
 */
export function judgeRedisSettings(settings: ServerSettings | undefined): string[] {
  if (settings === undefined) {
    return [
      'this Redis does not tell its settings (INFO): make sure that maxmemory-policy is not allkeys-* and appendonly is yes',
    ];
  }
  const { evictionPolicy, maxMemory, appendOnly } = settings;
  if (evictionPolicy.startsWith('allkeys-')) {
    throw new SettingsError([
      `REDIS_URL: this Redis has maxmemory-policy ${evictionPolicy}, which may evict writes that are not in the database yet: set it to noeviction or to a volatile-* policy`,
    ]);
  }
  const warnings: string[] = [];
  if (maxMemory > 0 && evictionPolicy === 'noeviction') {
    warnings.push(
      'this Redis has a maxmemory and maxmemory-policy noeviction: once cached copies have filled it, write-behind writes are refused until copies expire. Set volatile-lru or volatile-ttl, which make room by evicting copies and nothing else',
    );
  }
  if (!appendOnly) {
    warnings.push(
      'this Redis keeps no append-only file: writes answered as "cached" do not survive its restart; those answered as "queued" or "persisted" do. Set appendonly yes to keep them too',
    );
  }
  return warnings;
}

/**
 * A check for every new connection, since what answers may be another server than before. Warnings are logged once;
 * `onFatal` is called where the server must not be used.
 */
export function createRedisCheck(
  log: Logger,
  onFatal: (error: SettingsError) => void,
): (redis: Pick<RedisStore, 'serverSettings'>) => void {
  const said = new Set<string>();
  const check = async (redis: Pick<RedisStore, 'serverSettings'>) => {
    try {
      for (const warning of judgeRedisSettings(await redis.serverSettings())) {
        if (!said.has(warning)) log.warn(warning);
        said.add(warning);
      }
    } catch (error) {
      if (error instanceof SettingsError) onFatal(error);
      // Else the connection is gone again; the next one is asked again.
      else log.debug({ err: error }, 'could not read the settings of Redis');
    }
  };
  return (redis) => void check(redis);
}
