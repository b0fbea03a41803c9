import { sql } from 'kysely';
import { readEnvironment } from '../../config/environment.ts';
import { SettingsError } from '../../config/problem.ts';
import { createDatabase } from './database.ts';
import { describeError, isUnreachable, sqlState } from './errors.ts';
import { migrateToLatest, newerMigrations } from './migrate.ts';

export interface MigrateCommand {
  readonly env: NodeJS.ProcessEnv;
  readonly print: (line: string) => void;
  readonly printError: (line: string) => void;
}

/** A migration may have to wait for locks and rewrite tables: far longer than a request. */
const MIGRATE_TIMEOUT_MS = 60_000;

/** `npm run migrate`: makes the database where it is missing, then its tables. Returns the exit code. */
export async function runMigrate({ env, print, printError }: MigrateCommand): Promise<number> {
  let url = '';
  try {
    url = readEnvironment(env).DATABASE_URL;
    if (await createIfMissing(url)) print(`created the database "${databaseName(url)}"`);
    const { applied, newer } = await withDatabase(url, async (db) => ({
      applied: await migrateToLatest(db),
      newer: await newerMigrations(db),
    }));
    for (const name of applied) print(`applied ${name}`);
    if (newer.length > 0) print(`the tables are of a newer version (${newer.join(', ')}): nothing to do`);
    else if (applied.length === 0) print('up to date');
    return 0;
  } catch (error) {
    printError(error instanceof SettingsError ? error.message : explain(url, error));
    return 1;
  }
}

function databaseName(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}

async function createIfMissing(url: string): Promise<boolean> {
  try {
    await withDatabase(url, (db) => sql`SELECT 1`.execute(db));
    return false;
  } catch (error) {
    if (sqlState(error) !== '3D000') throw error;
  }
  const name = databaseName(url);
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  try {
    // template0 with the C locale takes UTF-8 on any server. Names are compared bytewise anyway.
    await withDatabase(maintenance.href, (db) =>
      sql`CREATE DATABASE ${sql.id(name)} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`.execute(
        db,
      ),
    );
    return true;
  } catch (error) {
    // Another migration made it in the same moment.
    if (['42P04', '23505'].includes(sqlState(error) ?? '')) return false;
    throw new SettingsError([
      `DATABASE_URL: the database "${name}" does not exist and could not be created: ${describeError(error)}. ` +
        `Let an administrator run: CREATE DATABASE ${quoted(name)} OWNER ${quoted(maintenance.username || 'the_user')} TEMPLATE template0 ENCODING 'UTF8'`,
    ]);
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function withDatabase<T>(
  url: string,
  work: (db: ReturnType<typeof createDatabase>['db']) => Promise<T>,
): Promise<T> {
  const database = createDatabase({
    url,
    poolSize: 2,
    timeoutMs: MIGRATE_TIMEOUT_MS,
    applicationName: 'holdfast-migrate',
  });
  try {
    return await work(database.db);
  } finally {
    await database.close();
  }
}

function explain(url: string, error: unknown): string {
  const { host, username } = new URL(url);
  const reason = describeError(error);
  const state = sqlState(error) ?? '';
  if (state.startsWith('28')) {
    return `DATABASE_URL: PostgreSQL at ${host} refused the user or password (user "${username}"): ${reason}`;
  }
  if (state === '42501') {
    return `DATABASE_URL: the user "${username}" may not create tables: ${reason}. The database's owner can: GRANT CREATE ON SCHEMA public TO ${quoted(username)}`;
  }
  if (isUnreachable(error)) return `DATABASE_URL: cannot reach PostgreSQL at ${host}: ${reason}`;
  return `migration failed, nothing was changed: ${reason}`;
}
