import { type Kysely, sql } from 'kysely';
import { decodeRecords, type IdempotencyKey, type IdempotencyRecord } from '../../domain/idempotency.ts';
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

/** A record as it came with a mutation of its entry, which may be of a later write. */
interface Travelling {
  readonly record: IdempotencyRecord;
  readonly mutation: Mutation;
}

function recordsOf(mutations: readonly Mutation[]): Travelling[] {
  return mutations.flatMap((mutation) =>
    decodeRecords(mutation.records).map((record) => ({ record, mutation })),
  );
}

/**
 * Records the writes that the mutations rest on, whether a mutation changed its row or lost to a newer one: its effect is in
 * that one. A record that is there already came with another batch, and stays. Costs nothing where there are none.
 *
 * What was set aside did not happen and may be tried again, so it leaves no record, in whatever mutation that travels. But for
 * counters: a later value contains the increment. Another batch that is persisted now may set a write aside whose record came
 * with a mutation of this one: both insert the record, so that one waits for the other, and look at the dead letters then.
 * @param refused those that this batch set aside, recorded by now
 */
export async function recordWrites(
  trx: Kysely<Database>,
  written: readonly Mutation[],
  refused: readonly Mutation[],
): Promise<void> {
  const own = ({ record, mutation }: Travelling) => record.version === mutation.version;
  const isDocument = ({ mutation }: Travelling) => mutation.kind === 'document';
  const setAside = recordsOf(refused).filter((one) => isDocument(one) && own(one));
  const kept = recordsOf(written);
  const all = [...new Map([...setAside, ...kept].map((one) => [one.record.key, one])).values()];
  if (all.length === 0) return;
  // In one order, as rows are: two batches with the same records must not wait for each other in a circle.
  const records = all.map(({ record }) => record).sort((a, b) => (a.key < b.key ? -1 : 1));
  const { rows } = await sql<{ key: string }>`/* record-writes */
    INSERT INTO idempotency_records (key, fingerprint, version, value)
    SELECT * FROM unnest(
      ${records.map((r) => r.key)}::text[], ${records.map((r) => r.fingerprint)}::text[],
      ${records.map((r) => r.version)}::bigint[],
      ${records.map((r) => (r.value === '' ? null : r.value))}::bigint[])
    ON CONFLICT (key) DO NOTHING RETURNING key`.execute(trx);
  const added = new Set(rows.map(({ key }) => key));
  const carried = kept.filter((one) => isDocument(one) && !own(one) && added.has(one.record.key));
  await removeSetAside(trx, [...setAside, ...carried]);
}

/**
 * Removes the records of writes that are listed in `dead_letters`, or that had been replaced in their batch by one that is:
 * those between the record's version and that of the mutation.
 */
async function removeSetAside(trx: Kysely<Database>, candidates: readonly Travelling[]): Promise<void> {
  if (candidates.length === 0) return;
  await sql`/* remove-set-aside */
    DELETE FROM idempotency_records AS r
    USING unnest(
      ${candidates.map(({ record }) => record.key)}::text[],
      ${candidates.map(({ record }) => record.version)}::bigint[],
      ${candidates.map(({ mutation }) => mutation.collection)}::text[],
      ${candidates.map(({ mutation }) => mutation.key)}::text[],
      ${candidates.map(({ mutation }) => mutation.version)}::bigint[]
    ) AS c (id, version, collection, key, until)
    WHERE r.key = c.id AND r.version = c.version AND EXISTS (
      SELECT FROM dead_letters AS d
      WHERE d.collection = c.collection AND d.key = c.key AND d.version BETWEEN c.version AND c.until)`.execute(
    trx,
  );
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
