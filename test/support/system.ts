import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'pg';
import { type Child, startChild, untilReady } from '../../dev/services/child.ts';
import { onFreePort } from '../../dev/services/ports.ts';
import { until } from '../../dev/until.ts';
import { createDatabase, createNamespace, services, temporaryFolder } from './services.ts';
import { type RedisTestServer, startRedis } from './services-redis.ts';

export interface SystemOptions {
  readonly apis?: number;
  readonly workers?: number;
  /** Environment of every process, above the defaults of the test. */
  readonly env?: Readonly<Record<string, string>>;
  readonly redis?: { readonly appendOnly?: boolean; readonly settings?: readonly string[] };
  /** Other addresses than those of the shared servers. */
  readonly databaseUrl?: string;
  readonly temporalAddress?: string;
}

interface RunningProcess {
  readonly pid: number;
  /** `exit code 0` or `signal SIGKILL`, once it is gone. */
  readonly exited: Promise<string>;
  /** All it wrote. */
  output(): string;
  kill(): Promise<void>;
  /** SIGTERM, and waits until it is gone. */
  stop(): Promise<void>;
}

export interface ApiProcess extends RunningProcess {
  readonly url: string;
}

export type WorkerProcess = RunningProcess;

/** API and worker processes as in production, on a Redis, a database and a namespace of their own. */
export interface System {
  readonly redis: RedisTestServer;
  readonly db: Pool;
  readonly env: Readonly<Record<string, string>>;
  readonly apis: readonly ApiProcess[];
  /** The first API's URL. */
  readonly url: string;
  startApi(env?: Readonly<Record<string, string>>): Promise<ApiProcess>;
  startWorker(env?: Readonly<Record<string, string>>): Promise<WorkerProcess>;
  readonly workers: readonly WorkerProcess[];
  /** Ends every process and drops the database. Call it in `afterAll` or `afterEach`. */
  stop(): Promise<void>;
}

function processOf({ child, file }: { readonly child: Child; readonly file: string }): RunningProcess {
  return {
    pid: child.pid,
    exited: child.exited,
    output: () => readFileSync(file, 'utf8'),
    kill: () => child.kill(),
    stop: () => child.stop(),
  };
}

const root = join(import.meta.dirname, '..', '..');

/** Starts the whole system from `dist/`, as `npm run api` and `npm run worker` do, and waits until it is ready. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const { apis = 1, workers = 1 } = options;
  const folder = temporaryFolder('system');
  const stops: (() => Promise<unknown>)[] = [];
  const redis = await startRedis(options.redis);
  stops.push(() => redis.stop());
  let databaseUrl = options.databaseUrl;
  if (databaseUrl === undefined) {
    const database = await createDatabase();
    stops.push(() => database.drop());
    databaseUrl = database.url;
  }
  const temporalAddress = options.temporalAddress ?? services().temporalAddress;
  const env: Record<string, string> = {
    REDIS_URL: redis.url,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalAddress,
    TEMPORAL_NAMESPACE: options.temporalAddress === undefined ? await createNamespace() : 'default',
    HOLDFAST_CONFIG: join(root, 'holdfast.config.json'),
    LOG_LEVEL: 'info',
    ...options.env,
  };
  let count = 0;
  const run = async (name: string, script: string, extra: Readonly<Record<string, string>> = {}) => {
    const file = join(folder, `${name}-${count++}.log`);
    const child = await startChild({
      name,
      command: process.execPath,
      args: [join(root, 'dist', script)],
      cwd: root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env, ...extra },
      output: { file },
    });
    return { child, file };
  };

  const { child: migrate } = await run('migrate', 'storage/migrate-main.js');
  const migrated = await migrate.exited;
  if (migrated !== 'exit code 0') throw new Error(`migrate: ${migrated}\n${migrate.lastOutput()}`);

  async function startApi(extra: Readonly<Record<string, string>> = {}): Promise<ApiProcess> {
    return await onFreePort(async (port) => {
      const started = await run('api', 'api/main.js', { PORT: String(port), ...extra });
      const { child } = started;
      stops.push(() => child.kill());
      const url = `http://127.0.0.1:${port}`;
      await untilReady(
        child,
        until(async () => (await fetch(`${url}/livez`)).ok, { what: 'the API answers', timeoutMs: 30_000 }),
      );
      return { url, ...processOf(started) };
    });
  }

  async function startWorker(extra: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    const started = await run('worker', 'worker/main.js', extra);
    stops.push(() => started.child.kill());
    return processOf(started);
  }

  const db = new Pool({ connectionString: databaseUrl, max: 4 });
  // Tests stop the server on purpose.
  db.on('error', () => {});
  stops.push(() => db.end());
  const stop = async () => {
    for (const step of stops.reverse()) await step().catch(() => {});
  };
  try {
    const startedWorkers = await Promise.all(Array.from({ length: workers }, () => startWorker()));
    const startedApis = await Promise.all(Array.from({ length: apis }, () => startApi()));
    return {
      redis,
      db,
      env,
      apis: startedApis,
      workers: startedWorkers,
      url: startedApis[0]?.url ?? '',
      startApi,
      startWorker,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; `undefined` where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
  readonly json: any;
}

/** One HTTP call; a body that is not a string is sent as JSON. */
export async function call(
  method: string,
  url: string,
  options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const body =
    options.body === undefined || typeof options.body === 'string'
      ? options.body
      : JSON.stringify(options.body);
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** The path of an entry. */
export function entryUrl(base: string, collection: string, key: string): string {
  return `${base}/v1/collections/${collection}/entries/${encodeURIComponent(key)}`;
}
