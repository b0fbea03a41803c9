import { Hono } from 'hono';
import { createEntries, pool, upsertEntry } from './entries-table.ts';
import { ENTRY, listen } from './listen.ts';

/** Peer (b): Hono and one prepared statement a request: an upsert, committed before the answer, or a read by key. */
const app = new Hono();

await createEntries();

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  await upsertEntry(key, await c.req.text());
  return c.json({ key });
});
app.get(ENTRY, async (c) => {
  const { rows } = await pool.query<{ value: string }>({
    name: 'read',
    text: 'SELECT value::text AS value FROM entries WHERE key = $1',
    values: [c.req.param('key')],
  });
  const value = rows[0]?.value;
  if (value === undefined) return c.json({ error: 'not found' }, 404);
  return c.body(value, 200, { 'content-type': 'application/json' });
});

listen(app);
