import { type Kysely, sql } from 'kysely';
import type { Database } from './database-types.ts';
import { recordAction } from './operator-actions.ts';

/** Whether write-behind writes are refused while the queue empties, and who decided that. */
export interface Draining {
  /** Higher for a later decision; 0 where there never was one. */
  readonly sequence: number;
  readonly draining: boolean;
  readonly by: string | null;
  readonly at: Date | null;
}

export async function readDraining(db: Kysely<Database>): Promise<Draining> {
  const { rows } = await sql<Draining>`
    SELECT sequence, draining, decided_by AS "by", decided_at AS at FROM draining`.execute(db);
  return rows[0] ?? missing();
}

/** Records a decision, also where it is the one that holds already: then once more, with its own sequence. */
export async function decideDraining(
  db: Kysely<Database>,
  { draining, by }: { readonly draining: boolean; readonly by: string },
): Promise<Draining> {
  return await db.transaction().execute(async (trx) => {
    await recordAction(trx, { by, action: draining ? 'drain' : 'resume', subject: '' });
    const { rows } = await sql<Draining>`
      UPDATE draining SET sequence = sequence + 1, draining = ${draining}, decided_by = ${by}, decided_at = now()
      RETURNING sequence, draining, decided_by AS "by", decided_at AS at`.execute(trx);
    return rows[0] ?? missing();
  });
}

function missing(): never {
  throw new Error('the row of the table "draining" is gone');
}
