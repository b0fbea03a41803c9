import type { Redis } from 'ioredis';

/** What a Redis server has been sent so far. */
export interface RedisTraffic {
  readonly bytes: number;
  /** Those that scripts call included. */
  readonly commands: number;
}

export async function redisTraffic(redis: Redis): Promise<RedisTraffic> {
  const info = await redis.info('stats');
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return { bytes: field('total_net_input_bytes'), commands: field('total_commands_processed') };
}
