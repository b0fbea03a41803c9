import { insertRows } from '../cold-rows.ts';
import { progress } from '../entry.ts';
import { SMALL } from '../scenarios.ts';
import type { Holdfast } from '../start-holdfast.ts';
import { evictCachedCopies } from './evict.ts';
import { ROW_PREFIX } from './probes.ts';

/** Rows of one statement: what was done so far can be told in between. */
const ROWS_AT_ONCE = 1_000_000;

/** Fills the table up from `from` to `to` rows, and leaves PostgreSQL with nothing to do about it later. */
export async function fillUp(holdfast: Holdfast, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += ROWS_AT_ONCE) {
    const end = Math.min(at + ROWS_AT_ONCE, to);
    await insertRows(holdfast, { prefix: ROW_PREFIX, from: at, to: end, bytes: SMALL });
    if (to - from > ROWS_AT_ONCE) progress(`keys: ${end.toLocaleString('en-US')} rows`);
  }
  await settle(holdfast);
}

/** Brings the table back to the rows that it was filled with, and Redis to no cached copies, between two rounds. */
export async function removeMeasured(holdfast: Holdfast): Promise<void> {
  await evictCachedCopies(holdfast.redis);
  await holdfast.db.query(`DELETE FROM documents WHERE collection = 'carts' AND (key < $1 OR key >= $2)`, [
    ROW_PREFIX,
    `${ROW_PREFIX}~`,
  ]);
  await settle(holdfast);
}

/** Otherwise autovacuum and checkpoints would come in the middle of some measurements. */
async function settle({ db }: Holdfast): Promise<void> {
  await db.query('VACUUM (ANALYZE) documents');
  await db.query('CHECKPOINT');
}
