import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Database } from './database-types.ts';
import type { Row } from './types.ts';
import { unnestEntries } from './unnest.ts';

// Whole statements per table: the leading comment names the prepared statement (see database.ts).
const READ_ONE = {
  document: sql.raw(
    '/* read-document */ SELECT collection, key, version, value::text AS value FROM documents WHERE',
  ),
  counter: sql.raw(
    '/* read-counter */ SELECT collection, key, version, value::text AS value FROM counters WHERE',
  ),
} as const;

const READ_MANY = {
  document: sql.raw(
    '/* read-documents */ SELECT t.collection, t.key, t.version, t.value::text AS value FROM documents AS t',
  ),
  counter: sql.raw(
    '/* read-counters */ SELECT t.collection, t.key, t.version, t.value::text AS value FROM counters AS t',
  ),
} as const;

/** The row of an entry, a tombstone included; `undefined` where there never was one. */
export async function readEntry(
  db: Kysely<Database>,
  kind: EntryKind,
  ref: EntryRef,
): Promise<Row | undefined> {
  const { rows } = await sql<Omit<Row, 'kind'>>`${READ_ONE[kind]}
    collection = ${ref.collection} AND key = ${ref.key}`.execute(db);
  const row = rows[0];
  return row === undefined ? undefined : { ...row, kind };
}

/** The rows of many entries in one statement, tombstones included, in no particular order. */
export async function readEntries(
  db: Kysely<Database>,
  kind: EntryKind,
  refs: readonly EntryRef[],
): Promise<Row[]> {
  if (refs.length === 0) return [];
  const { rows } = await sql<Omit<Row, 'kind'>>`${READ_MANY[kind]}
    JOIN ${unnestEntries(refs)} AS r (collection, key)
    ON t.collection = r.collection AND t.key = r.key`.execute(db);
  return rows.map((row) => ({ ...row, kind }));
}
