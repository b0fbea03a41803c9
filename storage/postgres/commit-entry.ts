import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { WriteCondition } from '../../domain/condition.ts';
import type { EntryRef } from '../../domain/entry.ts';
import { HoldfastError } from '../../domain/errors.ts';
import type { IdempotencyKey } from '../../domain/idempotency.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import { type CommitAnswer, commitRow } from './commit-row.ts';
import type { Database } from './database-types.ts';
import { isDataError, refusalMessage, serverError } from './errors.ts';
import type { CommittedRecord } from './idempotency-records.ts';

/**
 * `superseded`: the row has this version or a newer one, or there is none and the tombstones up to `version` were pruned;
 * take a new version above it and repeat. `too-late`: the deadline had passed. `precondition-failed` carries the version of
 * the entry, 0 where it does not exist. `repeated`: a write with the same Idempotency-Key was committed before. In all of
 * these nothing was written.
 */
export type NotCommitted =
  | { readonly outcome: 'superseded'; readonly version: Version }
  | { readonly outcome: 'precondition-failed'; readonly version: Version }
  | { readonly outcome: 'too-late' }
  | { readonly outcome: 'repeated'; readonly record: CommittedRecord };

interface Deadline {
  readonly partition: number;
  /** Microseconds since 1970 by PostgreSQL's clock: past it, the statement does not commit. */
  readonly notAfterMicros: number;
  readonly condition?: WriteCondition;
  readonly idempotency?: IdempotencyKey | undefined;
}

export interface EntryCommit extends Deadline {
  readonly mutation: Mutation;
}

export interface IncrementCommit extends Deadline {
  readonly ref: EntryRef;
  readonly version: Version;
  readonly by: number;
}

/**
 * Writes one entry of a write-through collection, in one statement. `created`: there is an entry now, and was none before.
 * @throws HoldfastError `invalid-request` where PostgreSQL refuses the value; other errors as `pg` gave them
 */
export async function commitEntry(
  db: Kysely<Database>,
  commit: EntryCommit,
): Promise<{ outcome: 'committed'; created: boolean } | NotCommitted> {
  const { mutation } = commit;
  const type = sql.raw(mutation.kind === 'document' ? 'jsonb' : 'bigint');
  const answer = await refusable(
    commitRow(db, {
      ...commit,
      ref: mutation,
      kind: mutation.kind,
      version: mutation.version,
      value: sql`${mutation.value}::text::${type}`,
      fits: sql`true`,
      statement: mutation.kind === 'document' ? 'commit-document' : 'commit-counter',
    }),
  );
  if (answer.verdict !== 'committed') return notCommitted(answer);
  return { outcome: 'committed', created: mutation.value !== null && answer.liveVersion === 0 };
}

/**
 * Adds to a counter of a write-through collection, in one statement; one that does not exist counts as 0. `overflow`: the
 * result would lie outside ±(2^53 − 1); nothing was written. Not safe to repeat when the answer was lost.
 * @throws HoldfastError `invalid-request` where a constraint refuses the result; other errors as `pg` gave them
 */
export async function commitIncrement(
  db: Kysely<Database>,
  commit: IncrementCommit,
): Promise<
  { outcome: 'committed'; created: boolean; value: number } | { outcome: 'overflow' } | NotCommitted
> {
  // A tombstone holds no value, so it counts as 0 too.
  const sum = sql`(coalesce(b.value, 0)::numeric + ${commit.by}::numeric)`;
  const answer = await refusable(
    commitRow(db, {
      ...commit,
      kind: 'counter',
      // Never evaluated out of range: `fits` is asked first.
      value: sql`CASE WHEN abs(${sum}) <= ${Number.MAX_SAFE_INTEGER}::numeric THEN ${sum}::bigint END`,
      fits: sql`abs(${sum}) <= ${Number.MAX_SAFE_INTEGER}::numeric`,
      statement: 'commit-increment',
    }),
  );
  if (answer.verdict === 'overflow') return { outcome: 'overflow' };
  if (answer.verdict !== 'committed') return notCommitted(answer);
  return { outcome: 'committed', created: answer.liveVersion === 0, value: Number(answer.value) };
}

function notCommitted(answer: CommitAnswer): NotCommitted {
  switch (answer.verdict) {
    case 'too-late':
      return { outcome: 'too-late' };
    case 'precondition-failed':
      return { outcome: 'precondition-failed', version: answer.liveVersion };
    case 'repeated':
      return { outcome: 'repeated', record: answer.record };
    case 'superseded':
      return { outcome: 'superseded', version: answer.version };
    default:
      throw new Error(`unexpected answer of a commit: ${answer.verdict}`);
  }
}

/** Runs a statement with values of a caller. @throws HoldfastError `invalid-request` where PostgreSQL refuses one. */
export async function refusable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const refusal = serverError(error);
    if (refusal === undefined || !isDataError(refusal)) throw error;
    // The error itself is not passed on as the cause: its details quote the value.
    throw new HoldfastError(
      'invalid-request',
      `PostgreSQL refused the value: ${refusalMessage(refusal)} (SQLSTATE ${refusal.code}). Nothing was written.`,
    );
  }
}
