import { type Kysely, sql } from 'kysely';
import type { Database } from './database-types.ts';

/** Counting on would take time, and tell nobody more. */
const ENOUGH = 10_000;

/** Writes that PostgreSQL refused and nobody has decided on; `ENOUGH` where there are so many or more. */
export async function countDeadLetters(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ count: number }>`/* count-dead-letters */
    SELECT count(*) AS count FROM (
      SELECT FROM dead_letters WHERE state = 'dead' LIMIT ${ENOUGH}::integer
    ) AS waiting`.execute(db);
  return rows[0]?.count ?? 0;
}
