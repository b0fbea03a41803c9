import { join } from 'node:path';
import { postgresFolder, stateFolder } from './clone.ts';
import { forgetChildren, recordChildren, untilFormerRunIsGone } from './former-run.ts';
import { Problem } from './problem.ts';
import { postgresOwner } from './services/owner.ts';
import { canConnect, portNear } from './services/ports.ts';
import { dataVersion, ensureDatabase, startPostgresServer } from './services/postgres.ts';
import { findPostgres } from './services/postgres-programs.ts';
import { findRedis, startRedisServer } from './services/redis.ts';
import { startTemporalServer } from './services/temporal.ts';
import { findTemporal } from './services/temporal-programs.ts';
import { allOrProblem, type Session } from './session.ts';

/** The environment variables that the parts of Holdfast find the backing services with. */
export interface Addresses {
  readonly REDIS_URL: string;
  readonly DATABASE_URL: string;
  readonly TEMPORAL_ADDRESS: string;
  readonly TEMPORAL_UI_URL: string;
}

const DATABASE = 'holdfast';

/**
 * Finds or starts Redis, PostgreSQL and Temporal: what the environment gives an address of is only asked whether it
 * is there. The programs of all are found before any is started. The Web UI of Temporal has payloads decoded by the API at
 * `apiPort`.
 * @throws Problem, a line for each one that cannot be had.
 */
export async function startStack(session: Session, apiPort: number): Promise<Addresses> {
  const { REDIS_URL, DATABASE_URL, TEMPORAL_ADDRESS, TEMPORAL_UI_URL } = process.env;
  const { progress } = session;
  const folder = stateFolder();
  const record = join(folder, 'children.json');
  const [redis, postgres, temporal] = await allOrProblem([
    REDIS_URL ? useRedis(REDIS_URL) : prepareRedis(session, folder),
    DATABASE_URL ? usePostgres(DATABASE_URL) : preparePostgres(session),
    TEMPORAL_ADDRESS
      ? useTemporal(TEMPORAL_ADDRESS, TEMPORAL_UI_URL)
      : prepareTemporal(session, folder, apiPort),
  ]);
  await untilFormerRunIsGone(record, progress);
  session.atEnd(() => forgetChildren(record));
  const [redisUrl, databaseUrl, [temporalAddress, temporalUiUrl]] = await allOrProblem([
    redis(),
    postgres(),
    temporal(),
  ]);
  recordChildren(record, session.children);
  return {
    REDIS_URL: redisUrl,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_UI_URL: temporalUiUrl,
  };
}

/** Starts what was prepared, and gives its address. */
type Start<T = string> = () => Promise<T>;

async function useRedis(url: string): Promise<Start> {
  await answers('Redis', 'REDIS_URL', url, 6379);
  return async () => url;
}

async function usePostgres(url: string): Promise<Start> {
  await answers('PostgreSQL', 'DATABASE_URL', url, 5432);
  return async () => url;
}

async function useTemporal(
  address: string,
  uiUrl = 'http://127.0.0.1:8233',
): Promise<Start<[string, string]>> {
  await answers('Temporal', 'TEMPORAL_ADDRESS', `grpc://${address}`, 7233);
  return async () => [address, uiUrl];
}

async function prepareRedis(session: Session, folder: string): Promise<Start> {
  const program = await findRedis(session.progress);
  return async () => {
    const port = await portFor(session, 'Redis', 6379);
    const server = await startRedisServer({ program, folder: join(folder, 'redis'), port, appendOnly: true });
    session.keep(server.child);
    return server.url;
  };
}

async function preparePostgres(session: Session): Promise<Start> {
  const { progress } = session;
  const state = postgresFolder(postgresOwner());
  const data = join(state, 'data');
  const programs = await findPostgres(progress, dataVersion(data));
  return async () => {
    const port = await portFor(session, 'PostgreSQL', 5432);
    const options = { programs, folder: data, stateFolder: state, port, durable: true, progress };
    const server = await startPostgresServer(options);
    session.keep(server.child);
    await ensureDatabase(server, DATABASE);
    return server.url(DATABASE);
  };
}

async function prepareTemporal(
  session: Session,
  folder: string,
  apiPort: number,
): Promise<Start<[string, string]>> {
  const program = await findTemporal(session.progress);
  return async () => {
    const port = await portFor(session, 'Temporal', 7233);
    const uiPort = await portFor(session, 'Temporal Web UI', 8233);
    const server = await startTemporalServer({
      program,
      databaseFile: join(folder, 'temporal.db'),
      logFile: join(folder, 'temporal.log'),
      port,
      uiPort,
      codecEndpoint: `http://127.0.0.1:${apiPort}/codec`,
    });
    session.keep(server.child);
    return [server.address, `http://127.0.0.1:${uiPort}`];
  };
}

async function portFor({ progress }: Session, what: string, preferred: number): Promise<number> {
  const port = await portNear(preferred);
  if (port !== preferred) progress(`${what}: port ${preferred} is taken, using ${port}`);
  return port;
}

async function answers(what: string, variable: string, url: string, port: number): Promise<void> {
  if (!URL.canParse(url)) throw new Problem(`${what}: ${variable} is not an address`);
  const { hostname, port: given } = new URL(url);
  const [host, where] = [hostname.replace(/^\[|\]$/g, ''), Number(given) || port];
  if (await canConnect(where, host, 5_000)) return;
  throw new Problem(`${what}: nothing answers at ${host}:${where}, where ${variable} points to`);
}
