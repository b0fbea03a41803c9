import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { WriteCondition } from '../../domain/condition.ts';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { IdempotencyKey } from '../../domain/idempotency.ts';
import { MAX_VERSION, type Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';
import { isDataError, serverError, sqlState } from './errors.ts';
import { type CommittedRecord, findRecord } from './idempotency-records.ts';

export interface RowCommit {
  readonly kind: EntryKind;
  readonly ref: EntryRef;
  readonly version: Version;
  readonly partition: number;
  readonly notAfterMicros: number;
  readonly condition?: WriteCondition;
  /** The write happens once under this key: its record is written with it. */
  readonly idempotency?: IdempotencyKey | undefined;
  /** The new value; `b` is the row as it was, under lock, all NULL where there was none. SQL NULL deletes. */
  readonly value: RawBuilder<unknown>;
  /** Whether the new value can be stored. */
  readonly fits: RawBuilder<unknown>;
  /** Names the prepared statement: one name, one text. */
  readonly statement: 'commit-document' | 'commit-counter' | 'commit-increment';
}

type Verdict = 'committed' | 'superseded' | 'precondition-failed' | 'too-late' | 'overflow';

/** `repeated`: nothing was done, for a write with the same Idempotency-Key was committed before. */
export type CommitAnswer = RowAnswer | { readonly verdict: 'repeated'; readonly record: CommittedRecord };

interface RowAnswer {
  readonly verdict: Verdict;
  /** Of the row before, a tombstone included. Where there was none, the prune floor: a tombstone may have been there. */
  readonly version: Version;
  /** Of the entry before; 0 where there was none or it was deleted. */
  readonly liveVersion: Version;
  /** Of a counter, after the write. */
  readonly value?: number | null;
}

/**
 * How far ahead the stored clock is set, in microseconds. The invariant is that it lies at or above every committed
 * version; a second ahead, the partition's row is written about once a second and not with every write.
 */
export const CLOCK_AHEAD_MICROS = 1_000_000;

const TOO_LATE = 'HF001';
const UNIQUE_VIOLATION = '23505';

/**
 * One conditional write of one row, as one statement that commits by itself. The row is locked before anything is decided
 * (`before`), so verdict, value and answer all speak of the row that is replaced, whoever else writes it. A row that
 * appears between the snapshot and the insert could not be locked: then nothing is written, and the statement is repeated.
 *
 * A write with an Idempotency-Key that is refused for the row as it is now may itself have made it so: the same request, at
 * the same time, whose record the snapshot of this statement does not show yet. So its record is looked for once more.
 * @throws errors as `pg` gave them; a plain Error where the partition has no row
 */
export async function commitRow(db: Kysely<Database>, commit: RowCommit): Promise<CommitAnswer> {
  try {
    const answer = await decided(db, commit);
    if (answer.verdict === 'committed' || answer.verdict === 'repeated') return answer;
    return (await repeated(db, commit)) ?? answer;
  } catch (error) {
    const answer = isDataError(error) ? await repeated(db, commit) : undefined;
    if (answer === undefined) throw error;
    return answer;
  }
}

async function repeated(db: Kysely<Database>, { idempotency }: RowCommit): Promise<CommitAnswer | undefined> {
  const record = idempotency === undefined ? undefined : await findRecord(db, idempotency.key);
  return record === undefined ? undefined : { verdict: 'repeated', record };
}

async function decided(db: Kysely<Database>, commit: RowCommit): Promise<CommitAnswer> {
  for (;;) {
    const answer = await attempt(db, commit);
    if (answer === undefined) return { verdict: 'too-late', version: 0, liveVersion: 0 };
    if (answer.verdict === 'unknown-partition') {
      throw new Error(
        `partition ${commit.partition} has no row in partition_clocks: its topology was never recorded`,
      );
    }
    if (answer.verdict === 'again') continue;
    if (answer.verdict === 'repeated') {
      const found = await repeated(db, commit);
      // Removed for its age since the statement saw it.
      if (found === undefined) continue;
      return found;
    }
    if (answer.verdict !== 'write') return { ...answer, verdict: answer.verdict };
    if (answer.written > 0) return { ...answer, verdict: 'committed' };
  }
}

interface Attempt extends Omit<RowAnswer, 'verdict'> {
  readonly verdict: Exclude<Verdict, 'committed'> | 'write' | 'unknown-partition' | 'repeated' | 'again';
  readonly written: number;
}

/** `undefined`: the deadline passed while the statement waited for locks, and it was rolled back. */
async function attempt(db: Kysely<Database>, commit: RowCommit): Promise<Attempt | undefined> {
  try {
    const { rows } = await statement(commit).execute(db);
    return rows[0];
  } catch (error) {
    if (sqlState(error) === TOO_LATE) return undefined;
    // The same request, at the same time: it was not committed yet when this statement looked for its record.
    if (commit.idempotency !== undefined && isRecordConflict(error)) {
      return { verdict: 'again', version: 0, liveVersion: 0, written: 0 };
    }
    throw error;
  }
}

function isRecordConflict(error: unknown): boolean {
  const refusal = serverError(error);
  return refusal?.code === UNIQUE_VIOLATION && refusal.table === 'idempotency_records';
}

function statement(commit: RowCommit): RawBuilder<Attempt> {
  const { ref, condition } = commit;
  const table = sql.raw(commit.kind === 'document' ? 'documents' : 'counters');
  const version = sql`${commit.version}::bigint`;
  const partition = sql`${commit.partition}::integer`;
  const deadline = sql`${commit.notAfterMicros}::bigint`;
  // A document's value need not travel back and forth.
  const counterOnly = (part: RawBuilder<unknown>) => (commit.kind === 'counter' ? part : sql.raw(''));
  const expected = sql`${condition === undefined ? null : 'ifVersion' in condition ? condition.ifVersion : 0}::bigint`;
  const once = onceParts(commit, counterOnly);
  return sql<Attempt>`${sql.raw(`/* ${commit.statement}${once === undefined ? '' : '-once'} */`)}
    WITH before AS MATERIALIZED (
      SELECT version, deleted${counterOnly(sql`, value`)} FROM ${table}
      WHERE collection = ${ref.collection} AND key = ${ref.key} FOR UPDATE
    ), state AS MATERIALIZED (
      SELECT coalesce(b.version, (SELECT floor FROM pruning), 0) AS version,
             CASE WHEN b.deleted IS FALSE THEN b.version ELSE 0 END AS live_version,
             b.version IS NOT NULL AS present,
             EXISTS (SELECT FROM partition_clocks WHERE partition = ${partition}) AS known,
             extract(epoch FROM clock_timestamp()) * 1000000 > ${deadline} AS late,
             ${commit.fits} AS fits,
             ${commit.value} AS value
      FROM (SELECT 1) AS one LEFT JOIN before AS b ON true
    ), decision AS MATERIALIZED (
      SELECT *, CASE
        WHEN NOT known THEN 'unknown-partition'${once?.verdict ?? sql.raw('')}
        WHEN late THEN 'too-late'
        WHEN live_version <> ${expected} THEN 'precondition-failed'
        WHEN version >= ${version} THEN 'superseded'
        WHEN NOT fits THEN 'overflow'
        ELSE 'write' END AS verdict
      FROM state
    ), written AS (
      INSERT INTO ${table} AS t (collection, key, version, value, deleted)
      SELECT ${ref.collection}::text, ${ref.key}::text, ${version}, value, value IS NULL
      FROM decision WHERE verdict = 'write'
      ON CONFLICT (collection, key) DO UPDATE SET
        version = excluded.version, value = excluded.value, deleted = excluded.deleted,
        updated_at = excluded.updated_at
      WHERE (SELECT present FROM state) AND excluded.version > t.version
        AND coalesce(CASE WHEN t.deleted THEN 0 ELSE t.version END = ${expected}, true)
      RETURNING 1${counterOnly(sql`, t.value`)}
    ), raised AS (
      UPDATE partition_clocks AS c
      SET clock = least(${version} + ${CLOCK_AHEAD_MICROS}::bigint, ${MAX_VERSION}::bigint)
      FROM written WHERE c.partition = ${partition} AND c.clock < ${version}
      RETURNING 1
    )${once?.remember ?? sql.raw('')}
    SELECT d.verdict, d.version, d.live_version AS "liveVersion", done.written${counterOnly(sql`, (SELECT value FROM written) AS value`)},
           CASE WHEN done.written > 0 THEN holdfast_refuse_after(${deadline}, done.raised${once?.remembered ?? sql.raw('')}) END
    FROM decision AS d CROSS JOIN (
      SELECT (SELECT count(*) FROM written) AS written, (SELECT count(*) FROM raised) AS raised
    ) AS done`;
}

/** What a write with an Idempotency-Key adds to the statement; the deadline is still checked last of all. */
function onceParts(
  { idempotency, version }: RowCommit,
  counterOnly: (part: RawBuilder<unknown>) => RawBuilder<unknown>,
) {
  if (idempotency === undefined) return undefined;
  const { key, fingerprint } = idempotency;
  return {
    verdict: sql`
        WHEN EXISTS (SELECT FROM idempotency_records WHERE key = ${key}) THEN 'repeated'`,
    remember: sql`, remembered AS (
      INSERT INTO idempotency_records (key, fingerprint, version, created${counterOnly(sql`, value`)})
      SELECT ${key}::text, ${fingerprint}::text, ${version}::bigint, d.live_version = 0${counterOnly(sql`, w.value`)}
      FROM decision AS d CROSS JOIN written AS w
      RETURNING 1
    )`,
    remembered: sql` + (SELECT count(*) FROM remembered)`,
  };
}
