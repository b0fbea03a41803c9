import { type Kysely, sql } from 'kysely';
import type { EntryKind } from '../../domain/entry.ts';
import { afterPrefix } from '../../domain/key-range.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';

/** A page ends before its values hold more than this together, unless the first alone does. */
const PAGE_BYTES = 8 * 1024 * 1024;

const TABLES = { document: sql.raw('documents'), counter: sql.raw('counters') } as const;

export interface EntriesPage {
  readonly collection: string;
  readonly kind: EntryKind;
  /** Only keys after this one, bytewise; all where it is empty. */
  readonly after: string;
  /** Only keys that begin so; all where it is empty. */
  readonly prefix: string;
  readonly limit: number;
}

export interface ListedEntry {
  readonly key: string;
  readonly version: Version;
  /** JSON text as `jsonb` prints it, or digits. */
  readonly value: string;
  readonly updatedAt: Date;
}

/**
 * The rows of a collection in the bytewise order of their keys, tombstones left out: a part of the primary key's index,
 * however large the collection is. `more`: the page ended before the rows did.
 */
export async function listEntries(
  db: Kysely<Database>,
  page: EntriesPage,
): Promise<{ readonly entries: readonly ListedEntry[]; readonly more: boolean }> {
  const { rows } = await listingStatement(page).execute(db);
  const entries = rows.slice(0, page.limit).map(({ key, version, value, updatedAt }) => ({
    key,
    version,
    value,
    updatedAt,
  }));
  return { entries, more: (rows[0]?.found ?? 0) > entries.length };
}

/** Exported for the test that looks at its plan. */
export function listingStatement({ collection, kind, after, prefix, limit }: EntriesPage) {
  const end = afterPrefix(prefix);
  const before = end === undefined ? sql`` : sql`AND key < ${end}::text`;
  return sql<ListedEntry & { readonly found: number }>`
    SELECT key, version, value, updated_at AS "updatedAt", found FROM (
      SELECT *, count(*) OVER () AS found,
             sum(octet_length(value)) OVER (ORDER BY key) - octet_length(value) AS bytes_before
      FROM (
        SELECT key, version, value::text AS value, updated_at FROM ${TABLES[kind]}
        WHERE collection = ${collection}::text AND key > ${after}::text AND key >= ${prefix}::text ${before}
          AND NOT deleted
        ORDER BY collection, key LIMIT ${limit + 1}
      ) AS page
    ) AS counted
    WHERE bytes_before = 0 OR bytes_before + octet_length(value) <= ${PAGE_BYTES}
    ORDER BY key`;
}
