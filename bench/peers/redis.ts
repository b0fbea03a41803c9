import { Hono } from 'hono';
import { ENTRY, listen } from './listen.ts';
import { readFromRedis, redis } from './redis-reads.ts';

/** Peer (a): bare Hono and ioredis, one SET, GET or INCR a request, pipelined. Nothing ever reaches a database. */
const app = new Hono();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  await redis.set(key, await c.req.text());
  return c.json({ key });
});
readFromRedis(app);
app.post(`${ENTRY}/increment`, async (c) => {
  const key = c.req.param('key');
  return c.json({ key, value: await redis.incr(key) });
});

listen(app);
