import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import type { Progress } from '../problem.ts';
import { until } from '../until.ts';
import { type Child, startChild, untilReady } from './child.ts';
import { makeOwnedFolder } from './owner.ts';
import type { PostgresPrograms } from './postgres-programs.ts';
import { run } from './programs.ts';

const USER = 'holdfast';

/** What a PostgreSQL server of ours is reached at. */
export interface PostgresServer {
  readonly port: number;
  /** The address of one of its databases, for the superuser. */
  url(database: string): string;
  readonly child: Child;
}

export interface PostgresOptions {
  readonly programs: PostgresPrograms;
  /** The data folder; made, and filled by initdb, when missing. The programs' owner must be able to enter its parent. */
  readonly folder: string;
  /** Where the superuser's password and the log are kept. */
  readonly stateFolder: string;
  readonly port: number;
  /** false: no fsync, for tests that never lose power. */
  readonly durable: boolean;
  /** More `name=value` settings. */
  readonly settings?: readonly string[];
  readonly progress: Progress;
}

/** The major version that wrote this data folder; undefined when there is none yet. */
export function dataVersion(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim());
  } catch {
    return undefined;
  }
}

function password(stateFolder: string): string {
  const file = join(stateFolder, 'postgres-password');
  if (!existsSync(file)) writeFileSync(file, randomBytes(18).toString('base64url'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

async function initialise(options: PostgresOptions): Promise<void> {
  const { programs, folder, stateFolder, durable, progress } = options;
  const { owner } = programs;
  progress('PostgreSQL: making a data folder');
  // An interrupted initdb leaves half a folder: it works beside the real one, which then takes the name in one step.
  const half = `${folder}.new`;
  rmSync(half, { recursive: true, force: true });
  makeOwnedFolder(half, owner);
  const passwordFile = join(half, '..', `.password-${randomBytes(6).toString('hex')}`);
  writeFileSync(passwordFile, password(stateFolder), { mode: 0o600 });
  try {
    if (owner) chownSync(passwordFile, owner.uid, owner.gid);
    const data = join(half, 'data');
    await run(
      join(programs.folder, 'initdb'),
      [
        ...['-D', data, '-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`],
        ...['--encoding=UTF8', '--locale=C', ...(durable ? [] : ['--no-sync'])],
      ],
      { owner, cwd: half, env: environment(), timeoutMs: 180_000 },
    );
    renameSync(data, folder);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(half, { recursive: true, force: true });
  }
}

/** Without the caller's PG* variables, which would change what the programs do, and in a locale that exists everywhere. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(own), LC_ALL: 'C' };
}

/**
 * Starts PostgreSQL on the loopback address and waits until it takes connections.
 * @throws Error with the end of its log when it does not.
 */
export async function startPostgresServer(options: PostgresOptions): Promise<PostgresServer> {
  mkdirSync(options.stateFolder, { recursive: true });
  mkdirSync(dirname(options.folder), { recursive: true });
  if (dataVersion(options.folder) === undefined) await initialise(options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launch(options);
    } catch (error) {
      // After a kill of the server its processes need a moment to notice.
      const lingering = (error as Error).message.includes('is still in use');
      if (!lingering || attempt === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function launch(options: PostgresOptions): Promise<PostgresServer> {
  const { programs, folder, stateFolder, port, durable, settings = [] } = options;
  // Not synchronous_commit=off: what was committed must survive a kill of PostgreSQL in tests, too.
  const fast = durable ? [] : ['fsync=off', 'full_page_writes=off'];
  const all = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300', ...fast];
  const child = await startChild({
    name: 'PostgreSQL',
    command: join(programs.folder, 'postgres'),
    args: ['-D', folder, '-p', String(port), ...[...all, ...settings].flatMap((setting) => ['-c', setting])],
    cwd: folder,
    env: environment(),
    owner: programs.owner,
    output: { file: join(stateFolder, 'postgres.log') },
    // "Fast shutdown": sessions are ended, everything committed is kept. SIGTERM would wait for the sessions.
    stopSignal: 'SIGINT',
    graceMs: 30_000,
  });
  const secret = password(stateFolder);
  const url = (database: string) => `postgres://${USER}:${secret}@127.0.0.1:${port}/${database}`;
  await untilReady(
    child,
    until(() => query(url('postgres'), 'SELECT 1').then(() => true), {
      timeoutMs: 60_000,
      what: 'PostgreSQL to take connections',
    }),
  );
  return { port, url, child };
}

/**
 * One statement on a connection of its own.
 * @throws the driver's error.
 */
export async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Makes a database of this name (letters, digits, `_`) unless it is there. */
export async function ensureDatabase(server: PostgresServer, name: string): Promise<void> {
  const admin = server.url('postgres');
  const rows = await query(admin, `SELECT 1 FROM pg_database WHERE datname = '${name}'`);
  if (rows.length === 0) await query(admin, `CREATE DATABASE "${name}"`);
}
