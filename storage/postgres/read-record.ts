import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { EntryState } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';

/** All that PostgreSQL knows of an entry that pending writes may exist of. */
export interface EntryRecord {
  /** The row, a tombstone included; `undefined` where there is none. */
  readonly row: EntryState | undefined;
  /** Versions that were dead-lettered or discarded: where one is found pending, it does not count. */
  readonly setAside: readonly Version[];
  /** At or below it a pending version does not count either, where there is no row: its tombstone was pruned. */
  readonly pruneFloor: Version;
}

// The leading comment names the prepared statement (see database.ts): one for each table.
const READ = {
  document: [sql.raw('/* read-document-record */'), sql.raw('documents')],
  counter: [sql.raw('/* read-counter-record */'), sql.raw('counters')],
} as const;

/** Row, decisions and floor in one statement, so that they are of one moment. */
export async function readRecord(
  db: Kysely<Database>,
  kind: EntryKind,
  { collection, key }: EntryRef,
): Promise<EntryRecord> {
  const [name, table] = READ[kind];
  const { rows } = await sql<{
    version: Version | null;
    value: string | null;
    /** As text: the driver reads arrays of 64-bit integers so. */
    setAside: string[] | null;
    floor: Version | null;
  }>`${name}
    SELECT t.version, t.value::text AS value, p.floor,
           (SELECT array_agg(d.version) FROM dead_letters AS d
            WHERE d.collection = ${collection} AND d.key = ${key}) AS "setAside"
    FROM pruning AS p LEFT JOIN ${table} AS t ON t.collection = ${collection} AND t.key = ${key}`.execute(db);
  const found = rows[0];
  if (found === undefined) throw new Error('the row of the table "pruning" is gone');
  return {
    row: found.version === null ? undefined : { version: found.version, value: found.value },
    setAside: (found.setAside ?? []).map(Number),
    pruneFloor: found.floor ?? 0,
  };
}
