import { type Kysely, sql } from 'kysely';
import type { Database } from './database-types.ts';

/**
 * How many rows of entries were written since PostgreSQL began to count: two answers tell how fast. By its own statistics, which
 * are up to a second late and begin again after a crash of PostgreSQL.
 */
export async function rowsWritten(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ written: number }>`
    SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0)::double precision AS written FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND relname IN ('documents', 'counters')`.execute(db);
  return rows[0]?.written ?? 0;
}
