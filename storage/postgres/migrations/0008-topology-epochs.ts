import { type Kysely, sql } from 'kysely';

/** Epochs numbered below this are of an earlier topology: what Redis holds of them is not to be used. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`ALTER TABLE topology ADD COLUMN epochs_from bigint NOT NULL DEFAULT 0`.execute(db);
}
