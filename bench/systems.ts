import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { ROOT } from '../dev/clone.ts';
import { Problem } from '../dev/problem.ts';
import { type Child, startChild, untilReady } from '../dev/services/child.ts';
import { onFreePort } from '../dev/services/ports.ts';
import { until } from '../dev/until.ts';
import type { Services } from './services.ts';

/** Process ids. `server` is the one that answers HTTP. */
export type Parts = { readonly server: number } & Readonly<Partial<Record<Part, number>>>;

export const PARTS = ['server', 'redis', 'worker', 'postgres', 'temporal'] as const;
export type Part = (typeof PARTS)[number];

/** A server under test. */
export interface System {
  readonly port: number;
  /** The processes that work for it, their children included. */
  readonly parts: Parts;
  /** A connection to the database it writes to. */
  readonly db: Client | undefined;
}

export interface HoldfastOptions {
  readonly partitions: number;
  /** More arguments of Node for the API process. */
  readonly apiNodeArgs: readonly string[];
}

type Env = Readonly<Record<string, string>>;

interface Program {
  readonly name: string;
  readonly file: string;
  readonly env: Env;
  readonly nodeArgs?: readonly string[];
}

async function startProgram(services: Services, { name, file, env, nodeArgs = [] }: Program): Promise<Child> {
  const path = join(ROOT, 'dist', file);
  if (!existsSync(path)) throw new Problem(`dist/${file} is missing: run "npm run build"`);
  const child = await startChild({
    name,
    command: process.execPath,
    args: [...nodeArgs, path],
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', ...env },
    graceMs: 20_000,
    output: { file: join(services.folder, `${name}.log`) },
  });
  services.keep(child);
  return child;
}

/** Starts an HTTP server on a free port and waits until `path` answers. */
async function startServer(services: Services, program: Program, path: string) {
  return await onFreePort(async (port) => {
    const child = await startProgram(services, { ...program, env: { ...program.env, PORT: String(port) } });
    const ready = async () => (await fetch(`http://127.0.0.1:${port}${path}`)).ok;
    await untilReady(child, until(ready, { timeoutMs: 60_000, what: `${program.name} to be ready` }));
    return { port, server: child.pid };
  });
}

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Starts one of the programs in bench/peers. */
export async function startPeer(
  services: Services,
  file: string,
  needs: 'redis' | 'postgres',
): Promise<System> {
  const name = `peer-${file}`;
  const program = { name, file: `bench/peers/${file}.js` };
  if (needs === 'redis') {
    const redis = await services.newRedis(name);
    const env = { REDIS_URL: redis.url };
    const { port, server } = await startServer(services, { ...program, env }, '/livez');
    return { port, parts: { server, redis: redis.pid }, db: undefined };
  }
  const database = await services.newDatabase(name.replaceAll('-', '_'));
  const env = { DATABASE_URL: database.url };
  const { port, server } = await startServer(services, { ...program, env }, '/livez');
  return { port, parts: { server, postgres: database.pid }, db: await connected(database.url) };
}

/** Starts Holdfast as in production: one API process and one worker, on services of their own. */
export async function startHoldfast(services: Services, options: HoldfastOptions): Promise<System> {
  const name = `holdfast-${options.partitions}`;
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
    PARTITIONS: String(options.partitions),
  };
  const migrate = await startProgram(services, {
    name: `${name}-migrate`,
    file: 'storage/migrate-main.js',
    env,
  });
  const how = await migrate.exited;
  if (how !== 'exit code 0') throw new Problem(`migrate: ${how}\n${migrate.lastOutput()}`);
  const worker = await startProgram(services, { name: `${name}-worker`, file: 'worker/main.js', env });
  const api = { name: `${name}-api`, file: 'api/main.js', env, nodeArgs: options.apiNodeArgs };
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
    db: await connected(database.url),
  };
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
