import { join } from 'node:path';
import { ROOT } from '../dev/clone.ts';
import { Problem } from '../dev/problem.ts';
import { until } from '../dev/until.ts';
import type { Settings } from './options.ts';
import type { Services } from './services.ts';
import { connectDatabase, connectRedis, startProgram, startServer } from './start-program.ts';
import type { System } from './system.ts';

export interface HoldfastOptions {
  /** Tells it from others in names of folders and databases. */
  readonly number: number;
  readonly settings: Settings;
  /** The folder in which API and worker leave their CPU profiles when they end. */
  readonly cpuProfile?: string | undefined;
}

/** Starts Holdfast as in production: one API process and one worker, on services of their own. */
export async function startHoldfast(services: Services, options: HoldfastOptions): Promise<System> {
  const name = `holdfast-${options.number}`;
  const redis = await services.newRedis(name);
  const database = await services.newDatabase(name.replace('-', '_'));
  const env = {
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: services.temporal.address,
    TEMPORAL_NAMESPACE: await services.newNamespace(name),
    HOLDFAST_CONFIG: join(ROOT, 'holdfast.config.json'),
    ...options.settings,
  };
  const migrate = await startProgram(services, {
    name: `${name}-migrate`,
    file: 'storage/migrate-main.js',
    env,
  });
  const how = await migrate.exited;
  if (how !== 'exit code 0') throw new Problem(`migrate: ${how}\n${migrate.lastOutput()}`);
  const profiled = (program: { name: string; file: string }) => ({
    ...program,
    env,
    nodeArgs: profileArgs(options.cpuProfile, program.name),
  });
  const worker = await startProgram(services, profiled({ name: `${name}-worker`, file: 'worker/main.js' }));
  const api = profiled({ name: `${name}-api`, file: 'api/main.js' });
  const { port, server } = await startServer(services, api, '/readyz');
  await firstWrite(port);
  return {
    port,
    parts: {
      server,
      redis: redis.pid,
      worker: worker.pid,
      postgres: database.pid,
      temporal: services.temporal.pid,
    },
    db: await connectDatabase(database.url),
    table: 'documents',
    redis: connectRedis(redis.url),
    async settled() {
      const response = await fetch(`http://127.0.0.1:${port}/ops/v1/flush`, { method: 'POST' });
      return ((await response.json()) as { persisted?: boolean }).persisted === true;
    },
  };
}

function profileArgs(folder: string | undefined, name: string): string[] {
  if (folder === undefined) return [];
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`];
}

/** One write all the way to PostgreSQL: then the worker is up, too. */
async function firstWrite(port: number): Promise<void> {
  const url = `http://127.0.0.1:${port}/v1/collections/carts/entries/first`;
  const persisted = async () => {
    const response = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', prefer: 'durability=persisted' },
      body: '{}',
    });
    const { state } = (await response.json()) as { state?: string };
    return state === 'persisted';
  };
  await until(persisted, { timeoutMs: 60_000, what: 'the first write to be persisted' });
}
