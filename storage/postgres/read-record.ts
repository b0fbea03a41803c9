import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Settled } from '../../domain/merge.ts';
import type { Version } from '../../domain/version.ts';
import { createGather } from '../gather.ts';
import type { Database } from './database-types.ts';
import { waitedTooLong } from './errors.ts';
import { unnestEntries } from './unnest.ts';

// The leading comment names the prepared statement (see database.ts): one for each table.
const READ = {
  document: [sql.raw('/* read-document-records */'), sql.raw('documents')],
  counter: [sql.raw('/* read-counter-records */'), sql.raw('counters')],
} as const;

/** Entries of one statement. */
const MAX_ENTRIES = 256;
/** Statements under way: reads must leave connections to the writes. */
const MAX_STATEMENTS = 4;

/**
 * The row of an entry, a tombstone included, and what else decides whether pending writes count: all of one moment, later than
 * the call. Reads that come at about the same time are one statement.
 */
export type ReadRecord = (kind: EntryKind, ref: EntryRef) => Promise<Settled>;

interface Found {
  readonly version: Version | null;
  readonly value: string | null;
  /** As text: the driver reads arrays of 64-bit integers so. */
  readonly setAside: string[] | null;
  readonly floor: Version | null;
}

function settled({ version, value, setAside, floor }: Found): Settled {
  if (floor === null) throw new Error('the row of the table "pruning" is gone');
  return {
    row: version === null ? undefined : { version, value },
    setAside: (setAside ?? []).map(Number),
    pruneFloor: floor,
  };
}

/** A read that waited `patienceMs` for its turn ends as where PostgreSQL cannot be reached. */
export function createRecordReader(db: Kysely<Database>, patienceMs: number): ReadRecord {
  const read = createGather<EntryOfKind, Settled>(
    ({ kind }) => kind,
    (entries) => readRecords(db, entries[0]?.kind ?? 'document', entries),
    {
      items: MAX_ENTRIES,
      inFlight: MAX_STATEMENTS,
      patience: { ms: patienceMs, error: waitedTooLong },
    },
  );
  return (kind, { collection, key }) => read({ kind, collection, key });
}

interface EntryOfKind extends EntryRef {
  readonly kind: EntryKind;
}

/** LIMIT: each row by its primary key. As a plain join, tables whose statistics are old were read as a whole. */
async function readRecords(
  db: Kysely<Database>,
  kind: EntryKind,
  entries: readonly EntryRef[],
): Promise<Settled[]> {
  const [name, table] = READ[kind];
  const { rows } = await sql<Found>`${name}
    SELECT t.version, t.value::text AS value, (SELECT floor FROM pruning) AS floor,
           (SELECT array_agg(d.version) FROM dead_letters AS d
            WHERE d.collection = e.collection AND d.key = e.key) AS "setAside"
    FROM ${unnestEntries(entries)} WITH ORDINALITY AS e (collection, key, place)
    LEFT JOIN LATERAL (
      SELECT version, value FROM ${table} WHERE collection = e.collection AND key = e.key LIMIT 1) AS t ON true
    ORDER BY e.place`.execute(db);
  return rows.map(settled);
}
