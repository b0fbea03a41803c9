import { Hono } from 'hono';
import { Pool } from 'pg';
import { ENTRY, listen } from './listen.ts';

/** Peer (b): Hono and one prepared upsert a request, committed before the answer. */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const app = new Hono();

await pool.query(`CREATE TABLE IF NOT EXISTS entries (
  key text PRIMARY KEY, value jsonb NOT NULL, updated_at timestamptz NOT NULL DEFAULT now())`);

app.put(ENTRY, async (c) => {
  const key = c.req.param('key');
  await pool.query({
    name: 'upsert',
    text: `INSERT INTO entries (key, value) VALUES ($1, $2)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`,
    values: [key, await c.req.text()],
  });
  return c.json({ key });
});

listen(app);
