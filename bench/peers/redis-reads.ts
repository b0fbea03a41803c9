import type { Hono } from 'hono';
import { Redis } from 'ioredis';
import { ENTRY } from './listen.ts';

/** Commands that are sent in the same turn of the event loop travel together. */
export const redis = new Redis(process.env.REDIS_URL ?? '', { enableAutoPipelining: true });

/** GET from Redis alone. */
export function readFromRedis(app: Hono): void {
  app.get(ENTRY, async (c) => {
    const value = await redis.get(c.req.param('key'));
    if (value === null) return c.json({ error: 'not found' }, 404);
    return c.body(value, 200, { 'content-type': 'application/json' });
  });
}
