import { type Kysely, sql } from 'kysely';
import type { Batch } from '../../domain/batch.ts';
import type { EntryKind } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { isDataError, refusalMessage, serverError } from './errors.ts';
import { readEntry } from './read-entry.ts';
import { upsertMutations } from './upsert-mutations.ts';

/** A mutation and why PostgreSQL refused it. */
export interface RefusedMutation {
  readonly mutation: Mutation;
  readonly sqlstate: string;
  readonly message: string;
}

/**
 * Writes what can be written and returns the rest. A data error is narrowed down by halving, under savepoints, until the
 * offending mutations stand alone: about 2·log2(n) statements for each. The order of the rows, and with it the order of
 * their locks, stays the same throughout. Not among the rest is what its row has, or has a newer version of. Any other
 * error is thrown as it is.
 * @param signal looked at before each statement
 */
export async function upsertOrRefuse(
  trx: Kysely<Database>,
  kind: EntryKind,
  mutations: readonly Mutation[],
  signal?: AbortSignal,
): Promise<RefusedMutation[]> {
  if (mutations.length === 0) return [];
  signal?.throwIfAborted();
  await sql`SAVEPOINT rows`.execute(trx);
  try {
    await upsertMutations(trx, kind, mutations);
  } catch (error) {
    const refusal = serverError(error);
    if (refusal === undefined || !isDataError(refusal)) throw error;
    await sql`ROLLBACK TO SAVEPOINT rows; RELEASE SAVEPOINT rows`.execute(trx);
    const [mutation] = mutations;
    if (mutation !== undefined && mutations.length === 1) {
      // Taken before PostgreSQL began to refuse such values, or lost to a newer version: then nothing is missing.
      const row = await readEntry(trx, kind, mutation);
      if (row !== undefined && row.version >= mutation.version) return [];
      return [{ mutation, sqlstate: refusal.code, message: refusalMessage(refusal) }];
    }
    const middle = mutations.length >>> 1;
    const first = await upsertOrRefuse(trx, kind, mutations.slice(0, middle), signal);
    return [...first, ...(await upsertOrRefuse(trx, kind, mutations.slice(middle), signal))];
  }
  await sql`RELEASE SAVEPOINT rows`.execute(trx);
  return [];
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
