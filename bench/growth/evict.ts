import type { Redis } from 'ioredis';

/** What the keys of cached copies look like; the rest of Redis is bookkeeping, which it never evicts. */
const CACHED_COPIES = 'hf:{*}:e:*';

/** Removes every cached copy from a Redis, as Redis itself does when its memory is short. */
export async function evictCachedCopies(redis: Redis): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', CACHED_COPIES, 'COUNT', 5_000);
    if (keys.length > 0) await redis.unlink(...keys);
    cursor = next;
  } while (cursor !== '0');
}
