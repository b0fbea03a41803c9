import { type Kysely, type Migration, Migrator, sql } from 'kysely';
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
 * the migrations that this call applied.
 * @throws SettingsError where the server is older than PostgreSQL 15 or the database is not in UTF-8.
 */
export async function migrateToLatest(db: Kysely<Database>): Promise<string[]> {
  await requireSupportedServer(db);
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
  return (results ?? []).filter((r) => r.status === 'Success').map((r) => r.migrationName);
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
