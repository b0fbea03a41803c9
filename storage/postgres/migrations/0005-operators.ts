import { type Kysely, sql } from 'kysely';

/** What operators decide about the whole, and a record of what they did. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // The sequence orders two decisions wherever they meet: the later one holds.
  await sql`
    CREATE TABLE draining (
      single boolean PRIMARY KEY DEFAULT true CHECK (single),
      sequence bigint NOT NULL DEFAULT 0,
      draining boolean NOT NULL DEFAULT false,
      decided_by text,
      decided_at timestamptz
    )`.execute(db);
  await sql`INSERT INTO draining DEFAULT VALUES`.execute(db);

  await sql`
    CREATE TABLE operator_actions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT now(),
      decided_by text NOT NULL,
      action text NOT NULL,
      subject text NOT NULL
    )`.execute(db);

  // Dead letters that wait for a person are few, beside those that were decided long ago.
  await sql`CREATE INDEX dead_letters_dead ON dead_letters (id) WHERE state = 'dead'`.execute(db);
}
