import { Queue } from 'bullmq';
import { Hono } from 'hono';
import { Redis } from 'ioredis';
import { ENTRY, listen } from './listen.ts';
import { readFromRedis, redis } from './redis-reads.ts';

/**
 * Peer (d): write-behind with BullMQ: the value to Redis, where reads find it, and a job that carries it to PostgreSQL
 * (bullmq-worker.ts). Jobs of one entry may be done in any order.
 */
const connection = new Redis(process.env.REDIS_URL ?? '', { enableAutoPipelining: true });
const queue = new Queue('writes', {
  connection,
  defaultJobOptions: { removeOnComplete: true, attempts: 10, backoff: 100 },
});
const app = new Hono();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  const value = await c.req.text();
  await Promise.all([redis.set(key, value), queue.add('write', { key, value })]);
  return c.json({ key });
});
readFromRedis(app);
app.get('/pending', async (c) => {
  const { waiting = 0, active = 0, delayed = 0 } = await queue.getJobCounts('waiting', 'active', 'delayed');
  return c.json({ pending: waiting + active + delayed });
});

listen(app);
