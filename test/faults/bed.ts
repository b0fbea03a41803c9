import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type Environment, readEnvironment } from '../../config/environment.ts';
import { ROOT } from '../../dev/clone.ts';
import { type Child, startChild, untilReady } from '../../dev/services/child.ts';
import { onFreePort } from '../../dev/services/ports.ts';
import { until } from '../../dev/until.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { CONFIG_FILE } from './collections.ts';
import type { Server, Servers } from './servers.ts';

export interface BedOptions {
  /** `always`: an append-only file that is synced before every answer. `none`: a restart forgets everything. */
  readonly redis: 'always' | 'none';
  /** Which servers the processes reach through a proxy. Default: none. */
  readonly proxied?: readonly Proxied[];
  /** More environment for every process. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More environment for the second API process. */
  readonly secondApi?: Readonly<Record<string, string>>;
}

/** `second-api-redis`: Redis, as only the second API process sees it. */
type Proxied = 'redis' | 'second-api-redis' | 'postgres' | 'temporal';

/** What a worker says when it takes tasks. */
const WORKER_READY = 'Holdfast worker ready';

/** Outages are short here, so every patience of the processes is. */
export const REQUEST_DEADLINE_MS = 3_000;
const SETTINGS = {
  PARTITIONS: '2',
  SLOTS: '16',
  REQUEST_DEADLINE_MS: String(REQUEST_DEADLINE_MS),
  REDIS_TIMEOUT_MS: '600',
  POSTGRES_TIMEOUT_MS: '1500',
  TEMPORAL_TIMEOUT_MS: '1500',
  QUERY_TIMEOUT_MS: '300',
  DIRECT_PERSIST_AFTER_MS: '700',
  ADOPT_AFTER_MS: '1500',
  GATHER_MAX_MS: '1000',
  CLOCK_TOLERANCE_MS: '200',
  SWEEP_INTERVAL_MS: '1000',
  SHUTDOWN_DELAY_MS: '300',
};
export const PARTITIONS = Number(SETTINGS.PARTITIONS);

export interface ApiProcess {
  readonly url: string;
  readonly child: Child;
}

/** The whole system on a Redis, a database and a namespace of its own: two API processes, one worker. */
export interface Bed {
  readonly redis: Server & { readonly dir: string };
  readonly postgres: Server;
  readonly temporal: Server;
  /** Where the processes connect to, if that was asked for. */
  readonly redisProxy: TcpProxy | undefined;
  readonly secondApiRedisProxy: TcpProxy | undefined;
  readonly postgresProxy: TcpProxy | undefined;
  readonly temporalProxy: TcpProxy | undefined;
  /** As the processes read it, but past every proxy: for what the bench does with Holdfast's own code. */
  readonly environment: Environment;
  /** Past every proxy. */
  readonly redisClient: Redis;
  readonly db: pg.Pool;
  /** Replace an element to send the clients to another process. */
  readonly apis: ApiProcess[];
  readonly workers: Child[];
  /** Logs of the processes, one file each. */
  readonly logs: string;
  /** `extra`: more environment. A process that is to crash may have done so by the time this answers. */
  startApi(index: number, extra?: Readonly<Record<string, string>>): Promise<ApiProcess>;
  /** Once it takes tasks, or is gone. */
  startWorker(extra?: Readonly<Record<string, string>>): Promise<Child>;
  /** One more Redis, empty. */
  startRedis(name: string): Promise<Server & { readonly dir: string }>;
  stop(): Promise<void>;
}

let beds = 0;

/** Starts the processes from `dist/`, and waits until they are ready. */
export async function startBed(servers: Servers, options: BedOptions, logs: string): Promise<Bed> {
  const number = beds++;
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step().catch(() => {});
  };
  try {
    const redis = await servers.startRedis(`redis-${number}`, { appendOnly: options.redis === 'always' });
    stops.push(() => redis.stop());
    const proxyTo = async (name: Proxied, port: number) => {
      if (options.proxied?.includes(name) !== true) return undefined;
      const proxy = await startTcpProxy({ port });
      stops.push(() => proxy.close());
      return proxy;
    };
    const redisProxy = await proxyTo('redis', redis.port);
    const postgresProxy = await proxyTo('postgres', servers.postgres.port);
    const secondApiRedisProxy = await proxyTo('second-api-redis', redis.port);
    const temporalProxy = await proxyTo('temporal', servers.temporal.port);
    const databaseUrl = await servers.createDatabase();
    const proxiedDatabase = new URL(databaseUrl);
    if (postgresProxy !== undefined) proxiedDatabase.port = String(postgresProxy.port);
    const env: Record<string, string | undefined> = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      REDIS_URL: `redis://127.0.0.1:${redisProxy?.port ?? redis.port}`,
      DATABASE_URL: proxiedDatabase.href,
      TEMPORAL_ADDRESS: `127.0.0.1:${temporalProxy?.port ?? servers.temporal.port}`,
      TEMPORAL_NAMESPACE: await servers.createNamespace(),
      HOLDFAST_CONFIG: CONFIG_FILE,
      LOG_LEVEL: process.env.FAULTS_LOG_LEVEL ?? 'info',
      ...SETTINGS,
      ...options.settings,
    };
    let started = 0;
    const run = async (name: string, script: string, extra: Readonly<Record<string, string>> = {}) => {
      const file = join(logs, `bed${number}-${started++}-${name}.log`);
      const child = await startChild({
        name,
        command: process.execPath,
        args: [join(ROOT, 'dist', script)],
        cwd: ROOT,
        env: { ...env, ...extra },
        output: { file },
      });
      return Object.assign(child, { file });
    };

    const migrate = await run('migrate', 'storage/migrate-main.js');
    const migrated = await migrate.exited;
    if (migrated !== 'exit code 0') throw new Error(`migrate: ${migrated}\n${migrate.lastOutput()}`);

    async function startApi(index: number, extra?: Readonly<Record<string, string>>): Promise<ApiProcess> {
      return await onFreePort(async (port) => {
        const ownRedis =
          secondApiRedisProxy === undefined
            ? {}
            : { REDIS_URL: `redis://127.0.0.1:${secondApiRedisProxy.port}` };
        const second = index === 1 ? { ...options.secondApi, ...ownRedis } : undefined;
        const child = await run(`api${index}`, 'api/main.js', { ...second, ...extra, PORT: String(port) });
        stops.push(() => child.kill());
        const url = `http://127.0.0.1:${port}`;
        const answers = async () => (await fetch(`${url}/livez`)).ok;
        const ready = until(answers, { what: 'the API to answer', timeoutMs: 30_000 });
        if (extra?.HOLDFAST_CRASH_POINT === undefined) {
          await untilReady(child, ready);
          await untilServing(url);
        } else await Promise.race([ready, child.exited]).finally(() => ready.catch(() => {}));
        return { url, child };
      });
    }
    async function startWorker(extra?: Readonly<Record<string, string>>): Promise<Child> {
      const child = await run('worker', 'worker/main.js', extra);
      stops.push(() => child.kill());
      // On a busy machine that takes seconds, which belong to the outage.
      await until(() => !child.running() || readFileSync(child.file, 'utf8').includes(WORKER_READY), {
        what: 'the worker to take tasks',
        timeoutMs: 60_000,
      });
      return child;
    }

    const db = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    db.on('error', () => {});
    stops.push(() => db.end());
    const redisClient = new Redis({ port: redis.port, host: '127.0.0.1', retryStrategy: () => 100 });
    redisClient.on('error', () => {});
    stops.push(async () => redisClient.disconnect());
    const [worker, ...apis] = await Promise.all([startWorker(), startApi(0), startApi(1)]);
    const workers = [worker];
    await until(() => carriesWrites(apis), {
      what: 'the system to carry writes',
      timeoutMs: 60_000,
      everyMs: 200,
    });
    return {
      redis,
      postgres: servers.postgres,
      temporal: servers.temporal,
      redisProxy,
      secondApiRedisProxy,
      postgresProxy,
      temporalProxy,
      environment: readEnvironment({
        ...env,
        REDIS_URL: `redis://127.0.0.1:${redis.port}`,
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: `127.0.0.1:${servers.temporal.port}`,
      }),
      redisClient,
      db,
      apis,
      workers,
      logs,
      startApi,
      startWorker,
      startRedis: (name) => servers.startRedis(`redis-${number}-${name}`, { appendOnly: false }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As an orchestrator does before it sends requests; where too much is down, not for ever. */
async function untilServing(url: string): Promise<void> {
  const ready = async () => (await fetch(`${url}/readyz`)).ok;
  await until(ready, { what: 'the API to be ready', timeoutMs: 5_000 }).catch(() => {});
}

async function carriesWrites(apis: readonly ApiProcess[]): Promise<boolean> {
  for (const { url } of apis) {
    const answer = await fetch(`${url}/v1/collections/carts/entries/warm-up`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', prefer: 'durability=persisted' },
      body: '1',
    });
    if (answer.status !== 200 && answer.status !== 201) return false;
  }
  return true;
}
