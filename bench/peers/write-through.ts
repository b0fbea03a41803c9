import { Hono } from 'hono';
import { createEntries, upsertEntry } from './entries-table.ts';
import { ENTRY, listen } from './listen.ts';
import { readFromRedis, redis } from './redis-reads.ts';

/**
 * Peer (c): write-through by hand, PostgreSQL, then Redis. Two writes of one entry may reach Redis in another order than
 * PostgreSQL, and one that ends in between leaves the former value there.
 */
const app = new Hono();

await createEntries();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  const value = await c.req.text();
  await upsertEntry(key, value);
  await redis.set(key, value);
  return c.json({ key });
});
readFromRedis(app);

listen(app);
