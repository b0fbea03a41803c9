import { type Kysely, sql } from 'kysely';
import type { WriteCondition } from '../../domain/condition.ts';
import { type EntryKind, type EntryRef, entryId } from '../../domain/entry.ts';
import { HoldfastError } from '../../domain/errors.ts';
import type { IdempotencyKey } from '../../domain/idempotency.ts';
import { MAX_VERSION, type Version } from '../../domain/version.ts';
import { refusable } from './commit-entry.ts';
import { CLOCK_AHEAD_MICROS } from './commit-row.ts';
import type { Database } from './database-types.ts';
import { sqlState } from './errors.ts';
import { addRecords, type CommittedRecord, findRecords } from './idempotency-records.ts';
import { unnestEntries, unnestMutations } from './unnest.ts';
import { byPrimaryKey } from './upsert-mutations.ts';

/** One write of several that commit together. `value` is text for the row, `null` deletes; an increment says `by` instead. */
export type WriteTogether = EntryRef & {
  readonly kind: EntryKind;
  readonly version: Version;
  readonly partition: number;
  readonly condition?: WriteCondition | undefined;
  /** On all writes of a request or on none. */
  readonly idempotency?: IdempotencyKey | undefined;
} & ({ readonly value: string | null } | { readonly by: number });

export interface CommitTogether {
  /** At most one of each entry. */
  readonly writes: readonly WriteTogether[];
  /** Microseconds since 1970 by PostgreSQL's clock: past it, nothing is written. */
  readonly notAfterMicros: number;
  /** Until when locks may be waited for, on this process's monotonic clock (`performance.now()`), in ms. */
  readonly waitUntil: number;
}

/** `index`: of the write that is the reason. Only after `committed` was anything written. */
export type TogetherOutcome =
  | {
      readonly outcome: 'committed';
      /** In the order of the writes. `value`: of a counter that was incremented. */
      readonly written: readonly { readonly created: boolean; readonly value?: number }[];
    }
  /** The same request was committed before. In the order of the writes. */
  | { readonly outcome: 'repeated'; readonly records: readonly CommittedRecord[] }
  /** Rows have these versions or newer ones; take versions above them, and repeat. In the order of the writes. */
  | { readonly outcome: 'superseded'; readonly versions: readonly Version[] }
  /** Rows or records of others appeared each time: nothing was decided, and it may be repeated. */
  | { readonly outcome: 'overtaken' }
  | { readonly outcome: 'precondition-failed'; readonly index: number; readonly version: Version }
  | { readonly outcome: 'overflow'; readonly index: number }
  | { readonly outcome: 'too-late' }
  /** It ended before the commit was sent. */
  | { readonly outcome: 'failed'; readonly error: unknown };

const TOO_LATE = 'HF001';
const DEADLOCK = '40P01';
/** Rows that appear while others are locked. Once is rare already. */
const TRIES = 5;

const TABLES = { document: sql.raw('documents'), counter: sql.raw('counters') } as const;
const TYPES = { document: sql.raw('jsonb'), counter: sql.raw('bigint') } as const;
/** The leading comment names the prepared statement (see database.ts). */
const named = (what: string, kind: EntryKind) => sql.raw(`/* ${what}-${kind}s */`);
const KINDS = ['document', 'counter'] as const;

/** A row under lock. */
interface Row {
  readonly version: Version;
  readonly deleted: boolean;
  /** Of a counter. */
  readonly value: number | null;
}

/**
 * Writes several entries of write-through collections in one transaction: all of them or none. Rows are locked in the order
 * in which everybody locks them before anything is decided: documents, counters, each by key, the partitions' rows last.
 *
 * The commit follows the last look at the deadline by at most `idle_in_transaction_session_timeout`: after that the server
 * ends the session of a client that hangs.
 * @throws HoldfastError `invalid-request` where PostgreSQL refuses a value; errors of a commit that was sent, as `pg` gave them
 */
export async function commitTogether(db: Kysely<Database>, commit: CommitTogether): Promise<TogetherOutcome> {
  for (let tries = 1; ; tries++) {
    let sent = false;
    try {
      return await refusable(
        db
          .transaction()
          .setIsolationLevel('read committed')
          .execute(async (trx) => {
            const outcome = await attempt(trx, commit);
            sent = true;
            return outcome;
          }),
      );
    } catch (error) {
      if (sqlState(error) === TOO_LATE) return { outcome: 'too-late' };
      const appeared = error instanceof RowAppeared;
      if ((appeared || sqlState(error) === DEADLOCK) && tries < TRIES) continue;
      if (appeared) return { outcome: 'overtaken' };
      if (sent || error instanceof HoldfastError) throw error;
      return { outcome: 'failed', error };
    }
  }
}

async function attempt(trx: Kysely<Database>, commit: CommitTogether): Promise<TogetherOutcome> {
  const { writes, notAfterMicros } = commit;
  const wait = String(Math.max(1, Math.floor(commit.waitUntil - performance.now())));
  await sql`/* lock-timeout */ SELECT set_config('lock_timeout', ${wait}::text, true)`.execute(trx);
  const rows = new Map<string, Row>();
  for (const kind of KINDS) await lockRows(trx, kind, ofKind(writes, kind), rows);
  const records = await repeated(trx, writes);
  if (records !== undefined) return { outcome: 'repeated', records };
  const floor = rows.size < writes.length ? await pruneFloor(trx) : 0;
  const decision = decide(writes, rows, floor);
  if (!Array.isArray(decision)) return decision;
  for (const kind of KINDS) {
    const values = ofKind(byPrimaryKey(decision.map(({ mutation }) => mutation)), kind);
    await insertRows(
      trx,
      kind,
      values.filter((m) => !rows.has(entryId(m))),
    );
    await replaceRows(
      trx,
      kind,
      values.filter((m) => rows.has(entryId(m))),
    );
  }
  await remember(trx, writes, decision);
  await raiseClocks(trx, writes, notAfterMicros);
  return { outcome: 'committed', written: decision.map(({ written }) => written) };
}

/**
 * The records of a request that was committed before; `undefined` where it was not.
 * @throws HoldfastError `idempotency-key-reused` where another request had the key
 */
async function repeated(
  trx: Kysely<Database>,
  writes: readonly WriteTogether[],
): Promise<CommittedRecord[] | undefined> {
  const keys = writes.flatMap(({ idempotency }) => (idempotency === undefined ? [] : [idempotency.key]));
  if (keys.length === 0) return undefined;
  const found = await findRecords(trx, keys);
  if (found.size === 0) return undefined;
  const records = keys.flatMap((key) => found.get(key) ?? []);
  if (records.length === writes.length) return records;
  throw new HoldfastError(
    'idempotency-key-reused',
    'Another batch came with the same Idempotency-Key, and had some of these operations. That one happened, this one did not. Use a new key for each request.',
  );
}

/** @throws RowAppeared where the same request is being committed just now. */
async function remember(
  trx: Kysely<Database>,
  writes: readonly WriteTogether[],
  decided: readonly Decided[],
): Promise<void> {
  const records = writes.flatMap(({ idempotency, version }, i): CommittedRecord[] => {
    if (idempotency === undefined) return [];
    const { created = false, value = null } = decided[i]?.written ?? {};
    return [{ ...idempotency, version, value, created }];
  });
  if (records.length > 0 && !(await addRecords(trx, records))) throw new RowAppeared();
}

type Mutation = EntryRef & {
  readonly kind: EntryKind;
  readonly version: Version;
  readonly value: string | null;
};

interface Decided {
  readonly mutation: Mutation;
  readonly written: { readonly created: boolean; readonly value?: number };
}

/** What is written where every write can be; else why none is. */
function decide(
  writes: readonly WriteTogether[],
  rows: ReadonlyMap<string, Row>,
  floor: Version,
): Decided[] | TogetherOutcome {
  const live = writes.map((write) => {
    const row = rows.get(entryId(write));
    return row === undefined || row.deleted ? 0 : row.version;
  });
  for (const [index, { condition }] of writes.entries()) {
    const version = live[index] ?? 0;
    const expected = condition === undefined ? version : 'ifVersion' in condition ? condition.ifVersion : 0;
    if (expected !== version) return { outcome: 'precondition-failed', index, version };
  }
  // Where there is no row, a tombstone above the version may have been pruned.
  const versions = writes.map((write) => rows.get(entryId(write))?.version ?? floor);
  if (writes.some(({ version }, index) => version <= (versions[index] ?? 0))) {
    return { outcome: 'superseded', versions };
  }
  const decided: Decided[] = [];
  for (const [index, write] of writes.entries()) {
    const { collection, key, kind, version } = write;
    const absent = live[index] === 0;
    if ('value' in write) {
      const { value } = write;
      decided.push({
        mutation: { collection, key, kind, version, value },
        written: { created: value !== null && absent },
      });
      continue;
    }
    // Both terms are exact, so a sum past the limit is seen even where it could not be represented.
    const value = (absent ? 0 : (rows.get(entryId(write))?.value ?? 0)) + write.by;
    if (!Number.isSafeInteger(value)) return { outcome: 'overflow', index };
    decided.push({
      mutation: { collection, key, kind, version, value: String(value) },
      written: { created: absent, value },
    });
  }
  return decided;
}

function ofKind<W extends { readonly kind: EntryKind }>(writes: readonly W[], kind: EntryKind): W[] {
  return writes.filter((write) => write.kind === kind);
}

async function lockRows(
  trx: Kysely<Database>,
  kind: EntryKind,
  refs: readonly EntryRef[],
  rows: Map<string, Row>,
): Promise<void> {
  if (refs.length === 0) return;
  const value = sql.raw(kind === 'counter' ? 'value' : 'NULL::bigint');
  // Each row by its primary key, in this order: a subquery with a lock stays a loop of its own.
  const sorted = byPrimaryKey(refs);
  const found = await sql<Row & EntryRef>`${named('lock', kind)}
    SELECT r.collection, r.key, t.version, t.deleted, t.value
    FROM ${unnestEntries(sorted)} AS r (collection, key)
    CROSS JOIN LATERAL (
      SELECT version, deleted, ${value} AS value FROM ${TABLES[kind]}
      WHERE collection = r.collection AND key = r.key FOR UPDATE) AS t`.execute(trx);
  for (const row of found.rows) rows.set(entryId(row), row);
}

async function pruneFloor(trx: Kysely<Database>): Promise<Version> {
  const { rows } = await sql<{ floor: Version }>`/* prune-floor */ SELECT floor FROM pruning`.execute(trx);
  return rows[0]?.floor ?? 0;
}

/** @throws RowAppeared where there is a row by now: it could not be locked, and nothing was decided about it. */
async function insertRows(
  trx: Kysely<Database>,
  kind: EntryKind,
  mutations: readonly Mutation[],
): Promise<void> {
  if (mutations.length === 0) return;
  const { rows } =
    await sql`${named('insert', kind)} INSERT INTO ${TABLES[kind]} (collection, key, version, value, deleted)
    SELECT m.collection, m.key, m.version, m.value::${TYPES[kind]}, m.value IS NULL FROM ${columns(mutations)}
    ON CONFLICT (collection, key) DO NOTHING RETURNING 1`.execute(trx);
  if (rows.length < mutations.length) throw new RowAppeared();
}

/** Rows under lock, each by its primary key: as an UPDATE from a list, tables whose statistics are old were read as a whole. */
async function replaceRows(
  trx: Kysely<Database>,
  kind: EntryKind,
  mutations: readonly Mutation[],
): Promise<void> {
  if (mutations.length === 0) return;
  await sql`${named('replace', kind)} INSERT INTO ${TABLES[kind]} AS t (collection, key, version, value, deleted)
    SELECT m.collection, m.key, m.version, m.value::${TYPES[kind]}, m.value IS NULL FROM ${columns(mutations)}
    ON CONFLICT (collection, key) DO UPDATE SET
      version = excluded.version, value = excluded.value, deleted = excluded.deleted,
      updated_at = excluded.updated_at`.execute(trx);
}

function columns(mutations: readonly Mutation[]) {
  return sql`${unnestMutations(mutations)} AS m (collection, key, version, value)`;
}

/** The last statement: the stored clocks lie at or above every committed version, and the deadline has not passed. */
async function raiseClocks(
  trx: Kysely<Database>,
  writes: readonly WriteTogether[],
  notAfterMicros: number,
): Promise<void> {
  const highest = new Map<number, Version>();
  for (const { partition, version } of writes) {
    highest.set(partition, Math.max(highest.get(partition) ?? 0, version));
  }
  const { rows } = await sql<{ known: number }>`/* raise-clocks */ WITH wanted AS (
      SELECT * FROM unnest(${[...highest.keys()]}::integer[], ${[...highest.values()]}::bigint[]) AS w (partition, version)
    ), locked AS MATERIALIZED (
      SELECT c.partition, w.version FROM partition_clocks AS c JOIN wanted AS w ON w.partition = c.partition
      WHERE c.clock < w.version ORDER BY c.partition FOR UPDATE OF c
    ), raised AS (
      UPDATE partition_clocks AS c SET clock = least(l.version + ${CLOCK_AHEAD_MICROS}::bigint, ${MAX_VERSION}::bigint)
      FROM locked AS l WHERE c.partition = l.partition RETURNING 1
    )
    SELECT (SELECT count(*) FROM partition_clocks AS c JOIN wanted AS w ON w.partition = c.partition) AS known,
           holdfast_refuse_after(${notAfterMicros}::bigint, (SELECT count(*) FROM raised))`.execute(trx);
  if (rows[0]?.known !== highest.size) {
    throw new Error('a partition has no row in partition_clocks: its topology was never recorded');
  }
}

class RowAppeared extends Error {}
