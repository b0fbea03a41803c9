import { type Kysely, sql } from 'kysely';

/**
 * What operators decide about single writes is kept beside what PostgreSQL refused; how far tombstones were pruned; and for
 * how long to mistrust the cache.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // A write that was given up before PostgreSQL saw it has no SQLSTATE, and a reason instead of a message.
  await sql`
    ALTER TABLE dead_letters
      ADD COLUMN state text NOT NULL DEFAULT 'dead' CHECK (state IN ('dead', 'discarded')),
      ADD COLUMN reason text,
      ADD COLUMN decided_by text,
      ADD COLUMN decided_at timestamptz,
      ALTER COLUMN sqlstate DROP NOT NULL,
      ALTER COLUMN message DROP NOT NULL`.execute(db);

  // One floor for all partitions: at or below it no row may appear that is not there.
  await sql`
    CREATE TABLE pruning (
      single boolean PRIMARY KEY DEFAULT true CHECK (single),
      floor bigint NOT NULL DEFAULT 0
    )`.execute(db);
  await sql`INSERT INTO pruning DEFAULT VALUES`.execute(db);

  // Until when Redis may hold older copies of what was written around it, in microseconds since 1970.
  await sql`ALTER TABLE partition_clocks ADD COLUMN around_until bigint NOT NULL DEFAULT 0`.execute(db);
}
