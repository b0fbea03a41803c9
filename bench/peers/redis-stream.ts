import { Hono } from 'hono';
import { ENTRY, listen } from './listen.ts';
import { readFromRedis, redis } from './redis-reads.ts';
import { STREAM } from './stream-name.ts';

/**
 * Peer (e): write-behind with a Redis stream: the value, where reads find it, and an item of the stream that carries it to
 * PostgreSQL (stream-consumer.ts).
 */
const app = new Hono();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  const value = await c.req.text();
  await Promise.all([redis.set(key, value), redis.xadd(STREAM, '*', 'key', key, 'value', value)]);
  return c.json({ key });
});
readFromRedis(app);
app.get('/pending', async (c) => c.json({ pending: await redis.xlen(STREAM) }));

listen(app);
