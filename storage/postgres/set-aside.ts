import { type Kysely, sql } from 'kysely';
import type { Batch } from '../../domain/batch.ts';
import type { EntryKind } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { isDataError, refusalMessage, serverError } from './errors.ts';
import { readEntry } from './read-entry.ts';
import { type RefusedMutation, upsertEach } from './upsert-each.ts';
import { upsertMutations } from './upsert-mutations.ts';

/**
 * Of so many at most, a statement that was refused is tried again row by row on the server, a subtransaction for each.
 * PostgreSQL keeps 64 of these in memory for a session: one poison write among thousands leaves no more.
 */
const ROW_BY_ROW = 64;

/** Of writes tried again, so many at most in one transaction: a long chain of writes that sort the other way must end, too. */
const TRIED_AGAIN = 10_000;

/** {@link upsertOrRefuse} for documents, then for counters. */
export async function upsertAllOrRefuse(
  trx: Kysely<Database>,
  mutations: readonly Mutation[],
  signal?: AbortSignal,
): Promise<RefusedMutation[]> {
  const ofKind = (kind: EntryKind) => mutations.filter((m) => m.kind === kind);
  return [
    ...(await upsertOrRefuse(trx, 'document', ofKind('document'), signal)),
    ...(await upsertOrRefuse(trx, 'counter', ofKind('counter'), signal)),
  ];
}

/**
 * Of what was refused, the part that stays refused when it is tried again after everything else, until a pass gains nothing, or
 * 10,000 writes were tried again. Only where deferred constraints look at each statement: what they refuse may need a write that
 * sorts later. Documents are locked after counters here, so that a deadlock with another batch is possible; PostgreSQL ends
 * it, and the whole transaction is repeated.
 */
export async function refusedForGood(
  trx: Kysely<Database>,
  refused: readonly RefusedMutation[],
  signal?: AbortSignal,
): Promise<readonly RefusedMutation[]> {
  let left = refused;
  for (let tried = 0; left.length > 0 && tried < TRIED_AGAIN; ) {
    tried += left.length;
    const mutations = left.map(({ mutation }) => mutation);
    const again = await upsertAllOrRefuse(trx, mutations, signal);
    if (again.length === left.length) return again;
    left = again;
  }
  return left;
}

/**
 * Writes what can be written and returns the rest. A data error is narrowed down by halving, under savepoints, and row by
 * row in the end: about 5·log2(n / 64) + 6 statements for one offending mutation, and n / 7 where all of them offend. The
 * order of the rows, and with it the order of their locks, stays the same throughout. Not among the rest is what its row
 * has, or has a newer version of. Any other error is thrown as it is.
 * @param signal looked at before each statement
 */
async function upsertOrRefuse(
  trx: Kysely<Database>,
  kind: EntryKind,
  mutations: readonly Mutation[],
  signal?: AbortSignal,
): Promise<RefusedMutation[]> {
  const [mutation] = mutations;
  if (mutation === undefined) return [];
  const refusal = await refusalOf(trx, signal, () => upsertMutations(trx, kind, mutations));
  if (refusal === undefined) return [];
  if (mutations.length === 1) {
    // Taken before PostgreSQL began to refuse such values, or lost to a newer version: then nothing is missing.
    const row = await readEntry(trx, kind, mutation);
    if (row !== undefined && row.version >= mutation.version) return [];
    return [{ mutation, sqlstate: refusal.code, message: refusalMessage(refusal) }];
  }
  if (mutations.length <= ROW_BY_ROW) {
    let refused: readonly RefusedMutation[] = [];
    const failed = await refusalOf(trx, signal, async () => {
      refused = await upsertEach(trx, kind, mutations);
    });
    if (failed === undefined) return [...refused];
    // Among them is one that no statement can carry: halving finds it.
  }
  const middle = mutations.length >>> 1;
  const first = await upsertOrRefuse(trx, kind, mutations.slice(0, middle), signal);
  return [...first, ...(await upsertOrRefuse(trx, kind, mutations.slice(middle), signal))];
}

/** Runs `work`; where that ends with a data error, takes back what it wrote, and answers the error. Throws any other. */
async function refusalOf(trx: Kysely<Database>, signal: AbortSignal | undefined, work: () => Promise<void>) {
  signal?.throwIfAborted();
  await sql`SAVEPOINT rows`.execute(trx);
  try {
    await work();
  } catch (error) {
    const refusal = serverError(error);
    if (refusal === undefined || !isDataError(refusal)) throw error;
    await sql`ROLLBACK TO SAVEPOINT rows; RELEASE SAVEPOINT rows`.execute(trx);
    return refusal;
  }
  await sql`RELEASE SAVEPOINT rows`.execute(trx);
  return undefined;
}

/** Records refused mutations, sorted by primary key. One that is recorded already keeps its first reason. */
export async function recordDeadLetters(
  trx: Kysely<Database>,
  batch: Batch,
  refused: readonly RefusedMutation[],
): Promise<void> {
  if (refused.length === 0) return;
  const column = <T>(read: (r: RefusedMutation) => T) => sql`${refused.map(read)}`;
  await sql`
    INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, sqlstate, message)
    SELECT d.collection, d.key, ${batch.partition}::integer, ${batch.id}::text,
           d.version, d.kind, d.value, d.sqlstate, d.message
    FROM unnest(
      ${column((r) => r.mutation.collection)}::text[], ${column((r) => r.mutation.key)}::text[],
      ${column((r) => r.mutation.version)}::bigint[], ${column((r) => r.mutation.kind)}::text[],
      ${column((r) => storableText(r.mutation.value))}::text[],
      ${column((r) => r.sqlstate)}::text[], ${column((r) => r.message)}::text[]
    ) AS d (collection, key, version, kind, value, sqlstate, message)
    ON CONFLICT (collection, key, version) DO NOTHING`.execute(trx);
}

/** `text` cannot hold U+0000, which no JSON text contains: written as its escape, so that recording never fails. */
export function storableText(value: string | null): string | null {
  return value === null ? null : value.replaceAll('\0', '\\u0000');
}
