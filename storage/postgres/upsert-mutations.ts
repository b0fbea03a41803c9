import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';

// A value crosses as text and is cast row by row: what is wrong with one is a data error of this statement.
const INSERT = {
  document:
    sql.raw(`/* upsert-documents */ INSERT INTO documents AS t (collection, key, version, value, deleted)
    SELECT m.collection, m.key, m.version, m.value::jsonb, m.value IS NULL FROM`),
  counter: sql.raw(`/* upsert-counters */ INSERT INTO counters AS t (collection, key, version, value, deleted)
    SELECT m.collection, m.key, m.version, m.value::bigint, m.value IS NULL FROM`),
} as const;

/**
 * Writes mutations of one kind in one statement: the highest version wins. At most one mutation of each entry, sorted as
 * {@link byPrimaryKey} sorts: rows are locked in that order.
 */
export async function upsertMutations(
  db: Kysely<Database>,
  kind: EntryKind,
  mutations: readonly Mutation[],
): Promise<void> {
  await sql`${INSERT[kind]} unnest(
      ${mutations.map((m) => m.collection)}::text[], ${mutations.map((m) => m.key)}::text[],
      ${mutations.map((m) => m.version)}::bigint[], ${mutations.map((m) => m.value)}::text[]
    ) AS m (collection, key, version, value)
    ON CONFLICT (collection, key) DO UPDATE SET
      version = excluded.version, value = excluded.value, deleted = excluded.deleted,
      updated_at = excluded.updated_at
    WHERE excluded.version > t.version`.execute(db);
}

/**
 * Bytewise by collection and key, as `COLLATE "C"` orders them. Every transaction locks rows in this order, so two of
 * them can wait for each other but never in a circle. (JavaScript's own order differs beyond U+FFFF.)
 */
export function byPrimaryKey<M extends EntryRef>(mutations: readonly M[]): M[] {
  return mutations
    .map((mutation) => ({ mutation, bytes: Buffer.from(`${mutation.collection}\0${mutation.key}`) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ mutation }) => mutation);
}
