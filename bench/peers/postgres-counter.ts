import { Hono } from 'hono';
import { Pool } from 'pg';
import { ENTRY, listen } from './listen.ts';

/** Peer (h): Hono and one prepared update of a counter's row a request. All requests meet at one row. */
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const app = new Hono();

// Room in the page for new versions of the row, as anybody with a hot row would leave.
await pool.query(`CREATE TABLE IF NOT EXISTS counters (
  key text PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 80)`);
await pool.query(`INSERT INTO counters VALUES ('hot', 0) ON CONFLICT DO NOTHING`);

app.post(`${ENTRY}/increment`, async (c) => {
  const key = c.req.param('key');
  const { rows } = await pool.query<{ value: string }>({
    name: 'increment',
    text: 'UPDATE counters SET value = value + 1 WHERE key = $1 RETURNING value',
    values: [key],
  });
  const value = rows[0]?.value;
  return value === undefined ? c.json({ error: 'not found' }, 404) : c.json({ key, value: Number(value) });
});

listen(app);
