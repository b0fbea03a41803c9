import type { RedisStore } from './client.ts';
import { DEMAND_KEY } from './keys.ts';
import { list, statusOf } from './reply.ts';

/**
 * Tells the other API processes what this one is asked for, in requests a second by API key, and learns the sum of what
 * they are: scripts/exchange-demand.lua. Reports older than `lifeMs` do not count.
 * @throws RedisUnavailable, RedisOutOfMemory, RedisOutcomeUnknown.
 */
export async function exchangeDemand(
  redis: RedisStore,
  process: string,
  demand: ReadonlyMap<string, number>,
  lifeMs: number,
): Promise<Map<string, number>> {
  const report = [...demand].map(([key, perSecond]) => `${key}=${perSecond.toFixed(3)}`).join(' ');
  const reply = await redis.run('exchange-demand', [DEMAND_KEY], [process, report, lifeMs]);
  statusOf(reply);
  const others = new Map<string, number>();
  for (const other of list(reply, 1)) {
    for (const [, key = '', perSecond] of other.matchAll(/([\w-]+)=(\d+\.\d+)/g)) {
      others.set(key, (others.get(key) ?? 0) + Number(perSecond));
    }
  }
  return others;
}
