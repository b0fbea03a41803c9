import { type Kysely, sql } from 'kysely';
import type { Database } from './database-types.ts';

/** What an operator did, and to what: never a value. */
export interface OperatorAction {
  readonly by: string;
  readonly action: 'retry-batch' | 'retry-dead-letter' | 'correct-dead-letter' | 'drain' | 'resume';
  /** A workflow id, the id of a dead letter, or empty where it is about everything. */
  readonly subject: string;
}

export type RecordedAction = OperatorAction & { readonly id: number; readonly at: Date };

/** Notes who did what; in the transaction of what was done, where it is one of PostgreSQL's. */
export async function recordAction(
  db: Kysely<Database>,
  { by, action, subject }: OperatorAction,
): Promise<void> {
  await sql`INSERT INTO operator_actions (decided_by, action, subject)
    VALUES (${by}, ${action}, ${subject})`.execute(db);
}

/** Those with an id below `before`, newest first. */
export async function listActions(
  db: Kysely<Database>,
  { before, limit }: { readonly before: number; readonly limit: number },
): Promise<RecordedAction[]> {
  const { rows } = await sql<RecordedAction>`
    SELECT id, at, decided_by AS "by", action, subject FROM operator_actions
    WHERE id < ${before}::bigint ORDER BY id DESC LIMIT ${limit}::integer`.execute(db);
  return rows;
}
