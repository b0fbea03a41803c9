import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { BatchId } from '../../domain/batch.ts';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { EntryVersion } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';
import { recordAction } from './operator-actions.ts';
import type { SetAside } from './types.ts';

/** A write that did not reach its row, and why. */
export interface DeadLetter extends SetAside {
  readonly id: number;
  readonly kind: EntryKind;
  readonly partition: number;
  readonly batchId: BatchId;
  /** The beginning of its text; `null` for a deletion. */
  readonly value: string | null;
  /** Of the whole text, in characters. */
  readonly valueLength: number;
  readonly createdAt: Date;
  /** `dead`: PostgreSQL refused it, for `message`. `discarded`: a person gave it up, for `reason`. */
  readonly state: 'dead' | 'discarded';
  readonly reason: string | null;
  readonly decidedBy: string | null;
  readonly decidedAt: Date | null;
}

/** A value may have hundreds of KB: a list shows so many characters. */
const SHOWN_CHARACTERS = 1_000;
const WHOLE = 2_147_483_647;

export interface DeadLetterPage {
  /** Only those with a higher id. */
  readonly after: number;
  readonly limit: number;
  /** Only those of this state. */
  readonly state?: DeadLetter['state'] | undefined;
}

function columns(shownCharacters: number) {
  return sql`id, collection, key, version, kind, partition, batch_id AS "batchId",
    left(value, ${shownCharacters}::integer) AS value, coalesce(length(value), 0) AS "valueLength",
    state, sqlstate, message, reason, decided_by AS "decidedBy", decided_at AS "decidedAt", created_at AS "createdAt"`;
}

/** A page of dead letters, oldest first. */
export async function listDeadLetters(db: Kysely<Database>, page: DeadLetterPage): Promise<DeadLetter[]> {
  const { rows } = await listingStatement(page).execute(db);
  return rows;
}

/** The statement of {@link listDeadLetters}. */
export function listingStatement({ after, limit, state }: DeadLetterPage): RawBuilder<DeadLetter> {
  const ofState = state === undefined ? sql`true` : inState(state);
  return sql<DeadLetter>`
    SELECT ${columns(SHOWN_CHARACTERS)} FROM dead_letters
    WHERE id > ${after}::bigint AND ${ofState} ORDER BY id LIMIT ${limit}::integer`;
}

/** Not as a parameter: each state has an index of its own, which a plan for any state cannot use. */
function inState(state: DeadLetter['state']) {
  return sql`state = ${sql.lit(state)}`;
}

/** One dead letter with its whole value; `undefined` where there is none with this id. */
export async function showDeadLetter(db: Kysely<Database>, id: number): Promise<DeadLetter | undefined> {
  const { rows } = await sql<DeadLetter>`
    SELECT ${columns(WHOLE)} FROM dead_letters WHERE id = ${id}::bigint`.execute(db);
  return rows[0];
}

const CORRECTED = 'corrected:';

/** Notes that another write took the place of a dead letter, unless something else was decided about it since. */
export async function resolveDeadLetter(
  db: Kysely<Database>,
  id: number,
  { version, by }: { readonly version: Version; readonly by: string },
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await discardDeadLetter(trx, id, { reason: `${CORRECTED} version ${version} took its place`, by });
    await recordAction(trx, { by, action: 'correct-dead-letter', subject: String(id) });
  });
}

/** At it, counting stops. */
const COUNTED = 100_000;

/** How many there are, each kind counted up to 100,000. */
export async function countDeadLetters(
  db: Kysely<Database>,
): Promise<{ readonly dead: number; readonly discarded: number }> {
  const { rows } = await countingStatement().execute(db);
  return rows[0] ?? { dead: 0, discarded: 0 };
}

/** The statement of {@link countDeadLetters}. */
export function countingStatement(): RawBuilder<{ dead: number; discarded: number }> {
  // By id, or a table of which most is wanted would be read from its beginning instead of the index.
  const counted = (state: DeadLetter['state']) => sql`(SELECT count(*) FROM (
    SELECT FROM dead_letters WHERE ${inState(state)} ORDER BY id LIMIT ${COUNTED}::integer) AS t)::integer`;
  return sql`SELECT ${counted('dead')} AS dead, ${counted('discarded')} AS discarded`;
}

/**
 * Which write a dead letter is about. `corrected`: given up for another write, by {@link resolveDeadLetter}, as far as its
 * reason says: a person can give any reason.
 */
export interface FoundDeadLetter extends EntryVersion, Pick<DeadLetter, 'state'> {
  readonly corrected: boolean;
}

/** `undefined` where there is none with this id. */
export async function findDeadLetter(db: Kysely<Database>, id: number): Promise<FoundDeadLetter | undefined> {
  const { rows } = await sql<FoundDeadLetter>`
    SELECT collection, key, version, state, coalesce(starts_with(reason, ${CORRECTED}), false) AS corrected
    FROM dead_letters WHERE id = ${id}::bigint`.execute(db);
  return rows[0];
}

/**
 * Gives up a write that PostgreSQL had refused: it will not be retried. The record stays, since readers and batches need
 * it. Answers whether it was still `dead`.
 */
export async function discardDeadLetter(
  db: Kysely<Database>,
  id: number,
  { reason, by }: { readonly reason: string; readonly by: string },
): Promise<boolean> {
  const { rows } = await sql`
    UPDATE dead_letters
    SET state = 'discarded', reason = ${reason}, decided_by = ${by}, decided_at = now()
    WHERE id = ${id}::bigint AND state = 'dead' RETURNING 1`.execute(db);
  return rows.length > 0;
}

/**
 * The entries of a settled batch whose writes did not reach their rows: those listed under the batch's own id, and those
 * of `waiting` (writes that the batch held or had replaced by later ones) that are listed under the id of another batch
 * which held the same mutation. Those are known by their rows: a row that is still older than the write shows that the
 * write is not in it. Without that, the dead letter of a later write of the entry would be taken for this one's.
 */
export async function deadLettersOf(
  db: Kysely<Database>,
  batchId: BatchId,
  waiting: readonly EntryVersion[],
): Promise<EntryRef[]> {
  const { rows } = await sql<EntryRef>`
    SELECT collection, key FROM dead_letters WHERE batch_id = ${batchId}
    UNION
    SELECT w.collection, w.key FROM unnest(
      ${waiting.map((w) => w.collection)}::text[], ${waiting.map((w) => w.key)}::text[],
      ${waiting.map((w) => w.version)}::bigint[]
    ) AS w (collection, key, version)
    JOIN dead_letters AS d ON d.collection = w.collection AND d.key = w.key AND d.version >= w.version
    WHERE NOT EXISTS (
      SELECT FROM documents AS t
      WHERE t.collection = w.collection AND t.key = w.key AND t.version >= w.version
    ) AND NOT EXISTS (
      SELECT FROM counters AS t
      WHERE t.collection = w.collection AND t.key = w.key AND t.version >= w.version
    )
    ORDER BY collection, key`.execute(db);
  return rows;
}
