import { Hono } from 'hono';
import { Redis } from 'ioredis';
import { ENTRY, listen } from './listen.ts';

/** Peer (a): bare Hono and ioredis, one SET, GET or INCR a request, pipelined. Nothing ever reaches a database. */
const redis = new Redis(process.env.REDIS_URL ?? '', { enableAutoPipelining: true });
const app = new Hono();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  await redis.set(key, await c.req.text());
  return c.json({ key });
});
app.get(ENTRY, async (c) => {
  const value = await redis.get(c.req.param('key'));
  if (value === null) return c.json({ error: 'not found' }, 404);
  return c.body(value, 200, { 'content-type': 'application/json' });
});
app.post(`${ENTRY}/increment`, async (c) => {
  const key = c.req.param('key');
  return c.json({ key, value: await redis.incr(key) });
});

listen(app);
