import { type Kysely, sql } from 'kysely';

/** Those that were discarded are counted and listed, too, where most of the dead letters wait for a person. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`CREATE INDEX dead_letters_discarded ON dead_letters (id) WHERE state = 'discarded'`.execute(db);
}
