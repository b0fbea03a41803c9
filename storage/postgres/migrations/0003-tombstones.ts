import { type Kysely, sql } from 'kysely';

/**
 * Pruning finds tombstones without reading the tables. Not an index on `version`: every update changes it, and an update
 * of an indexed column is never HOT, also where the row is outside a partial index. These columns change with a deletion only.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`CREATE INDEX documents_tombstones ON documents (collection, key) WHERE deleted`.execute(db);
  await sql`CREATE INDEX counters_tombstones ON counters (collection, key) WHERE deleted`.execute(db);
}
