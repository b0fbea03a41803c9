import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Settled } from '../../domain/merge.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';

// The leading comment names the prepared statement (see database.ts): one for each table.
const READ = {
  document: [sql.raw('/* read-document-record */'), sql.raw('documents')],
  counter: [sql.raw('/* read-counter-record */'), sql.raw('counters')],
} as const;

const READ_MANY = {
  document: [sql.raw('/* read-document-records */'), sql.raw('documents')],
  counter: [sql.raw('/* read-counter-records */'), sql.raw('counters')],
} as const;

interface Found {
  readonly version: Version | null;
  readonly value: string | null;
  /** As text: the driver reads arrays of 64-bit integers so. */
  readonly setAside: string[] | null;
  readonly floor: Version | null;
}

function settled({ version, value, setAside, floor }: Found): Settled {
  return {
    row: version === null ? undefined : { version, value },
    setAside: (setAside ?? []).map(Number),
    pruneFloor: floor ?? 0,
  };
}

/** The row of an entry, a tombstone included, and what else decides whether pending writes count: all of one moment. */
export async function readRecord(
  db: Kysely<Database>,
  kind: EntryKind,
  { collection, key }: EntryRef,
): Promise<Settled> {
  const [name, table] = READ[kind];
  const { rows } = await sql<Found>`${name}
    SELECT t.version, t.value::text AS value, p.floor,
           (SELECT array_agg(d.version) FROM dead_letters AS d
            WHERE d.collection = e.collection AND d.key = e.key) AS "setAside"
    FROM (SELECT ${collection}::text AS collection, ${key}::text AS key) AS e
    CROSS JOIN pruning AS p LEFT JOIN ${table} AS t ON t.collection = e.collection AND t.key = e.key`.execute(
    db,
  );
  const found = rows[0];
  if (found === undefined) throw new Error('the row of the table "pruning" is gone');
  return settled(found);
}

/** The same of many entries of one collection, in their order, in one statement. */
export async function readRecords(
  db: Kysely<Database>,
  kind: EntryKind,
  collection: string,
  keys: readonly string[],
): Promise<Settled[]> {
  if (keys.length === 0) return [];
  const [name, table] = READ_MANY[kind];
  const { rows } = await sql<Found>`${name}
    SELECT t.version, t.value::text AS value, p.floor,
           (SELECT array_agg(d.version) FROM dead_letters AS d
            WHERE d.collection = ${collection}::text AND d.key = e.key) AS "setAside"
    FROM unnest(${keys}::text[]) WITH ORDINALITY AS e (key, place)
    CROSS JOIN pruning AS p LEFT JOIN ${table} AS t ON t.collection = ${collection}::text AND t.key = e.key
    ORDER BY e.place`.execute(db);
  if (rows.length !== keys.length) throw new Error('the row of the table "pruning" is gone');
  return rows.map(settled);
}
