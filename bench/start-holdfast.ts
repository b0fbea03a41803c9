import { join } from 'node:path';
import { ROOT } from '../dev/clone.ts';
import { Problem } from '../dev/problem.ts';
import type { Child } from '../dev/services/child.ts';
import { freePort } from '../dev/services/ports.ts';
import { until } from '../dev/until.ts';
import type { Settings } from './options.ts';
import type { Services } from './services.ts';
import { connectDatabase, connectRedis, startProgram, startServer } from './start-program.ts';
import { disconnect, type System } from './system.ts';

export interface HoldfastOptions {
  /** Tells it from others in names of folders and databases. */
  readonly number: number;
  readonly settings: Settings;
  /** The folder in which API and worker leave their CPU profiles when they end. The first worker serves its metrics, too. */
  readonly profile?: string | undefined;
  /** Processes of each; 1 where it is left out. There may be no worker. */
  readonly apis?: number;
  readonly workers?: number;
}

export interface Holdfast extends System {
  readonly redis: NonNullable<System['redis']>;
  readonly db: NonNullable<System['db']>;
  /** The namespace that its workflows are in. */
  readonly namespace: string;
  /** Starts one more worker process, which may take a moment until it works. */
  addWorker(): Promise<Child>;
  /** Ends its own processes and connections; Redis, PostgreSQL and Temporal stay. */
  stop(): Promise<void>;
}

/** Starts Holdfast as in production, on services of its own: one API process and one worker unless told otherwise. */
export async function startHoldfast(services: Services, options: HoldfastOptions): Promise<Holdfast> {
  const { number, settings, profile, apis = 1, workers = 1 } = options;
  const name = `holdfast-${number}`;
  const redis = await services.newRedis(name);
  const database = await services.newDatabase(name.replace('-', '_'));
  const namespace = await services.newNamespace(name);
  const env = {
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: services.temporal.address,
    TEMPORAL_NAMESPACE: namespace,
    HOLDFAST_CONFIG: join(ROOT, 'holdfast.config.json'),
    ...settings,
  };
  const metricsPort = profile === undefined ? undefined : await freePort();
  const migrate = await startProgram(services, {
    name: `${name}-migrate`,
    file: 'storage/migrate-main.js',
    env,
  });
  const how = await migrate.exited;
  if (how !== 'exit code 0') throw new Problem(`migrate: ${how}\n${migrate.lastOutput()}`);
  const running = { server: [] as Child[], worker: [] as Child[] };
  const program = (what: string, ordinal: number) => {
    const own = `${name}-${what}${ordinal === 1 ? '' : `-${ordinal}`}`;
    const serves = what === 'worker' && ordinal === 1 && metricsPort !== undefined;
    return {
      name: own,
      file: `${what}/main.js`,
      env: serves ? { ...env, WORKER_METRICS_PORT: String(metricsPort) } : env,
      nodeArgs: profileArgs(profile, own),
    };
  };
  async function addWorker(): Promise<Child> {
    const child = await startProgram(services, program('worker', running.worker.length + 1));
    running.worker.push(child);
    return child;
  }
  for (let ordinal = 1; ordinal <= workers; ordinal += 1) await addWorker();
  const ports: number[] = [];
  for (let ordinal = 1; ordinal <= apis; ordinal += 1) {
    const { port, child } = await startServer(services, program('api', ordinal), '/readyz');
    running.server.push(child);
    ports.push(port);
  }
  const base = `http://127.0.0.1:${ports[0]}`;
  if (workers > 0) await firstWrite(base);
  const pidsOf = (children: readonly Child[]) => children.map(({ pid }) => pid);
  const holdfast: Holdfast = {
    ports,
    get parts() {
      return {
        server: pidsOf(running.server),
        redis: [redis.pid],
        worker: pidsOf(running.worker),
        postgres: [database.pid],
        temporal: [services.temporal.pid],
      };
    },
    db: await connectDatabase(database.url),
    table: 'documents',
    redis: connectRedis(redis.url),
    workerMetrics:
      metricsPort === undefined || workers === 0 ? undefined : `http://127.0.0.1:${metricsPort}/metrics`,
    namespace,
    async settled() {
      const response = await fetch(`${base}/ops/v1/flush`, { method: 'POST' });
      return ((await response.json()) as { persisted?: boolean }).persisted === true;
    },
    addWorker,
    async stop() {
      await Promise.all([...running.server, ...running.worker].map((child) => child.stop()));
      await disconnect(holdfast);
    },
  };
  return holdfast;
}

function profileArgs(folder: string | undefined, name: string): string[] {
  if (folder === undefined) return [];
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`];
}

/** One write all the way to PostgreSQL: then a worker is up, too. */
async function firstWrite(base: string): Promise<void> {
  const persisted = async () => {
    const response = await fetch(`${base}/v1/collections/carts/entries/first`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', prefer: 'durability=persisted' },
      body: '{}',
    });
    const { state } = (await response.json()) as { state?: string };
    return state === 'persisted';
  };
  await until(persisted, { timeoutMs: 60_000, what: 'the first write to be persisted' });
}
