import { type Kysely, sql } from 'kysely';
import { decodeRecords, type IdempotencyKey } from '../../domain/idempotency.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';

/** What PostgreSQL remembers of a write with an Idempotency-Key. */
export interface CommittedRecord extends IdempotencyKey {
  readonly version: Version;
  /** Of a counter after an increment. */
  readonly value: number | null;
  /** Whether the entry was new; `null` where nobody knew. */
  readonly created: boolean | null;
}

/** The record of a key; `undefined` where no write with it was committed, or so long ago that it was removed. */
export async function findRecord(db: Kysely<Database>, key: string): Promise<CommittedRecord | undefined> {
  const { rows } = await sql<CommittedRecord>`/* find-idempotency-record */
    SELECT key, fingerprint, version, value, created FROM idempotency_records WHERE key = ${key}`.execute(db);
  return rows[0];
}

/** The records of several keys, those that there are. */
export async function findRecords(
  db: Kysely<Database>,
  keys: readonly string[],
): Promise<Map<string, CommittedRecord>> {
  const { rows } = await sql<CommittedRecord>`
    SELECT key, fingerprint, version, value, created FROM idempotency_records
    WHERE key = ANY(${keys}::text[])`.execute(db);
  return new Map(rows.map((row) => [row.key, row]));
}

/** Adds records; answers whether all of them were new. */
export async function addRecords(
  trx: Kysely<Database>,
  records: readonly CommittedRecord[],
): Promise<boolean> {
  const sorted = [...records].sort((a, b) => (a.key < b.key ? -1 : 1));
  const { rows } = await sql`
    INSERT INTO idempotency_records (key, fingerprint, version, value, created)
    SELECT * FROM unnest(
      ${sorted.map((r) => r.key)}::text[], ${sorted.map((r) => r.fingerprint)}::text[],
      ${sorted.map((r) => r.version)}::bigint[], ${sorted.map((r) => r.value)}::bigint[],
      ${sorted.map((r) => r.created)}::boolean[])
    ON CONFLICT (key) DO NOTHING RETURNING 1`.execute(trx);
  return rows.length === records.length;
}

/**
 * Records the writes that the mutations rest on, whether a mutation changed its row or lost to a newer one: its effect is in
 * that one. A record that is there already came with another batch, and stays. Costs nothing where there are none.
 * @param mutations not those that were set aside: what did not happen may be tried again
 */
export async function recordWrites(trx: Kysely<Database>, mutations: readonly Mutation[]): Promise<void> {
  const keyed = mutations.filter((m) => m.records !== undefined);
  const records = [
    ...new Map(keyed.flatMap((m) => decodeRecords(m.records)).map((r) => [r.key, r])).values(),
  ];
  if (records.length === 0) return;
  // In one order, as rows are: two batches with the same records must not wait for each other in a circle.
  records.sort((a, b) => (a.key < b.key ? -1 : 1));
  await sql`/* record-writes */
    INSERT INTO idempotency_records (key, fingerprint, version, value)
    SELECT * FROM unnest(
      ${records.map((r) => r.key)}::text[], ${records.map((r) => r.fingerprint)}::text[],
      ${records.map((r) => r.version)}::bigint[],
      ${records.map((r) => (r.value === '' ? null : r.value))}::bigint[])
    ON CONFLICT (key) DO NOTHING`.execute(trx);
}

/** Rows removed by one statement. */
const PAGE = 1_000;

/**
 * Removes records that are older than a write is repeated, page by page.
 * @returns how many
 * @throws the signal's reason; errors as `pg` gave them. What was removed before stays removed.
 */
export async function removeOldRecords(
  db: Kysely<Database>,
  olderThanMs: number,
  options: { readonly signal?: AbortSignal; readonly pageSize?: number } = {},
): Promise<number> {
  const { signal, pageSize = PAGE } = options;
  for (let removed = 0; ; ) {
    signal?.throwIfAborted();
    const { rows } = await sql`
      DELETE FROM idempotency_records WHERE key IN (
        SELECT key FROM idempotency_records
        WHERE recorded_at < now() - ${olderThanMs}::bigint * interval '1 millisecond'
        ORDER BY recorded_at LIMIT ${pageSize})
      RETURNING 1`.execute(db);
    removed += rows.length;
    if (rows.length < pageSize) return removed;
  }
}
