import { Pool } from 'pg';

/** The table of every peer that has one, and its one statement: prepared, committed before the answer. */
export const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });

/** `COLLATE "C"`, as Holdfast's tables: keys are compared bytewise, which is the cheapest. */
export async function createEntries(): Promise<void> {
  await pool.query(`CREATE TABLE IF NOT EXISTS entries (
    key text COLLATE "C" PRIMARY KEY, value jsonb NOT NULL, updated_at timestamptz NOT NULL DEFAULT now())`);
}

export async function upsertEntry(key: string, value: string): Promise<void> {
  await pool.query({
    name: 'upsert',
    text: `INSERT INTO entries (key, value) VALUES ($1, $2)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`,
    values: [key, value],
  });
}
