import { sql } from 'kysely';
import type { EntryRef } from '../../domain/entry.ts';
import type { EntryVersion, Mutation } from '../../domain/mutation.ts';
import { numberArray, textArray } from './array-literal.ts';

// Entries as rows of a statement, one array for each column: named by `AS m (collection, key, …)` where they are used.

const collections = (refs: readonly EntryRef[]) => textArray(refs.map((ref) => ref.collection));
const keys = (refs: readonly EntryRef[]) => textArray(refs.map((ref) => ref.key));
const versions = (entries: readonly EntryVersion[]) => numberArray(entries.map((entry) => entry.version));

/** Rows of collection and key. */
export function unnestEntries(refs: readonly EntryRef[]) {
  return sql`unnest(${collections(refs)}::text[], ${keys(refs)}::text[])`;
}

/** Rows of collection, key and version. */
export function unnestVersions(entries: readonly EntryVersion[]) {
  return sql`unnest(${collections(entries)}::text[], ${keys(entries)}::text[], ${versions(entries)}::bigint[])`;
}

type Written = EntryVersion & Pick<Mutation, 'value'>;

/** Rows of collection, key, version and value, as text. */
export function unnestMutations(mutations: readonly Written[]) {
  return sql`unnest(${mutationArrays(mutations)})`;
}

/** The arrays of {@link unnestMutations}, as arguments. */
export function mutationArrays(mutations: readonly Written[]) {
  const values = textArray(mutations.map((mutation) => mutation.value));
  return sql`
    ${collections(mutations)}::text[], ${keys(mutations)}::text[], ${versions(mutations)}::bigint[], ${values}::text[]`;
}
