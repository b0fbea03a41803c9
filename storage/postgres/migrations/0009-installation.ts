import { type Kysely, sql } from 'kysely';

/** Names the data in this database, so that what belongs to them is known among that of others; and where their batches wait. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`CREATE TABLE installation (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    id text NOT NULL
  )`.execute(db);
  await sql`INSERT INTO installation (id) VALUES (left(md5(gen_random_uuid()::text), 8))`.execute(db);
  await sql`ALTER TABLE topology ADD COLUMN temporal_namespace text`.execute(db);
}
