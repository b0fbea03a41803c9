import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { number, statusOf } from './reply.ts';

export interface OldestInRedis {
  /** Every version that the partition gives out from now on is above it. */
  readonly clock: Version;
  /** Of the mutations that Temporal does not have for certain; `undefined` where there are none. */
  readonly pending: Version | undefined;
}

/**
 * Below which versions nothing of a partition is pending in Redis, or will be: scripts/oldest.lua.
 * @throws EpochChanged where the partition must be recovered first; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function oldestInRedis(redis: RedisStore, partition: number): Promise<OldestInRedis> {
  const keys = partitionKeys(partition);
  const reply = await redis.run('oldest', [keys.state, keys.open, keys.closed], []);
  statusOf(reply);
  return { clock: number(reply, 1), pending: reply[2] === '' ? undefined : number(reply, 2) };
}
