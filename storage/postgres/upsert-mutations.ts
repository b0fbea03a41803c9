import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { unnestMutations } from './unnest.ts';

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
  await sql`${INSERT[kind]} ${unnestMutations(mutations)} AS m (collection, key, version, value)
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
  const named = mutations.map((mutation) => ({ mutation, name: `${mutation.collection}\0${mutation.key}` }));
  const sorted = named.some(({ name }) => FROM_SURROGATES.test(name)) ? byBytes(named) : byUnits(named);
  return sorted.map(({ mutation }) => mutation);
}

interface Named<M> {
  readonly mutation: M;
  readonly name: string;
}

/** Below these, UTF-16 units have the order of the bytes in UTF-8. */
const FROM_SURROGATES = /[\ud800-\uffff]/;

function byUnits<M>(named: Named<M>[]): Named<M>[] {
  return named.sort((a, b) => {
    if (a.name === b.name) return 0;
    return a.name < b.name ? -1 : 1;
  });
}

function byBytes<M>(named: readonly Named<M>[]): Named<M>[] {
  return named
    .map((one) => ({ ...one, bytes: Buffer.from(one.name) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
}
