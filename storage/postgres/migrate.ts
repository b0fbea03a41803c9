import { DEFAULT_MIGRATION_TABLE, type Kysely, type Migration, Migrator, sql } from 'kysely';
import { SettingsError } from '../../config/problem.ts';
import type { Database } from './database-types.ts';
import * as entries from './migrations/0001-entries.ts';
import * as decisions from './migrations/0002-decisions.ts';
import * as tombstones from './migrations/0003-tombstones.ts';
import * as idempotency from './migrations/0004-idempotency.ts';
import * as operators from './migrations/0005-operators.ts';
import * as discarded from './migrations/0006-discarded.ts';
import * as oneByOne from './migrations/0007-one-by-one.ts';
import * as topologyEpochs from './migrations/0008-topology-epochs.ts';
import * as installation from './migrations/0009-installation.ts';
import * as raised from './migrations/0010-raised.ts';

/** In the order in which they run. A migration that was released is never changed; add another one. */
const MIGRATIONS: Record<string, Migration> = {
  '0001-entries': entries,
  '0002-decisions': decisions,
  '0003-tombstones': tombstones,
  '0004-idempotency': idempotency,
  '0005-operators': operators,
  '0006-discarded': discarded,
  '0007-one-by-one': oneByOne,
  '0008-topology-epochs': topologyEpochs,
  '0009-installation': installation,
  '0010-raised': raised,
};

const OLDEST_SERVER = 150_000;

/**
 * Brings the tables up to date, all in one transaction; several processes may try at the same time. Returns the names of
 * the migrations that this call applied: none where the tables are of a newer version ({@link newerMigrations}).
 * @throws SettingsError where the server is older than PostgreSQL 15 or the database is not in UTF-8.
 */
export async function migrateToLatest(db: Kysely<Database>): Promise<string[]> {
  await requireSupportedServer(db);
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    // Kysely takes migrations that it does not know for a mistake. Asked only now: a newer process may have been at it meanwhile.
    if ((await newerMigrations(db)).length > 0) return [];
    throw error;
  }
  return (results ?? []).filter((r) => r.status === 'Success').map((r) => r.migrationName);
}

/**
 * The migrations of a newer version that this database has, beside all of ours: after a rollback, or while a newer version is
 * being brought in. Older processes run beside newer tables. None where one of ours is missing, or a strange one comes before
 * our last: whatever that is, it is no newer version.
 */
export async function newerMigrations(db: Kysely<Database>): Promise<string[]> {
  const { rows: tables } = await sql<{ there: boolean }>`
    SELECT to_regclass(${DEFAULT_MIGRATION_TABLE}) IS NOT NULL AS there`.execute(db);
  if (!tables[0]?.there) return [];
  const { rows } = await sql<{ name: string }>`
    SELECT name FROM ${sql.id(DEFAULT_MIGRATION_TABLE)} ORDER BY name COLLATE "C"`.execute(db);
  const ours = Object.keys(MIGRATIONS);
  const applied = rows.map(({ name }) => name);
  return ours.every((name, i) => applied[i] === name) ? applied.slice(ours.length) : [];
}

async function requireSupportedServer(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ number: number; name: string; encoding: string }>`
    SELECT current_setting('server_version_num')::integer AS number,
           current_setting('server_version') AS name,
           current_setting('server_encoding') AS encoding`.execute(db);
  const server = rows[0];
  if (server === undefined || server.number < OLDEST_SERVER) {
    throw new SettingsError([
      `DATABASE_URL: this is PostgreSQL ${server?.name ?? 'of an unknown version'}; Holdfast needs 15 or newer`,
    ]);
  }
  if (server.encoding !== 'UTF8') {
    throw new SettingsError([
      `DATABASE_URL: the database is encoded in ${server.encoding}; Holdfast needs one made with ENCODING 'UTF8' TEMPLATE template0`,
    ]);
  }
}
