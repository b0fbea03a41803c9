import { type Kysely, sql } from 'kysely';

/**
 * What is remembered of writes with an Idempotency-Key. A row is written with the write, in the same transaction, and never
 * changed; `recorded_at` is for removing it once nobody repeats the write any more.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    CREATE TABLE idempotency_records (
      key text COLLATE "C" PRIMARY KEY,
      fingerprint text COLLATE "C" NOT NULL,
      version bigint NOT NULL,
      value bigint,
      created boolean,
      recorded_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db);
  await sql`CREATE INDEX idempotency_records_recorded_at ON idempotency_records (recorded_at)`.execute(db);
}
