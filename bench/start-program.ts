import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { ROOT } from '../dev/clone.ts';
import { Problem } from '../dev/problem.ts';
import { type Child, startChild, untilReady } from '../dev/services/child.ts';
import { onFreePort } from '../dev/services/ports.ts';
import { until } from '../dev/until.ts';
import type { Services } from './services.ts';

export interface Program {
  readonly name: string;
  /** Below dist/. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

export async function startProgram(services: Services, program: Program): Promise<Child> {
  const { name, file, env, nodeArgs = [] } = program;
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
export async function startServer(services: Services, program: Program, path: string) {
  return await onFreePort(async (port) => {
    const child = await startProgram(services, { ...program, env: { ...program.env, PORT: String(port) } });
    const ready = async () => (await fetch(`http://127.0.0.1:${port}${path}`)).ok;
    await untilReady(child, until(ready, { timeoutMs: 60_000, what: `${program.name} to be ready` }));
    return { port, pid: child.pid, child };
  });
}

/** The benchmark's own connections, to ask what a system has done. */
export async function connectDatabase(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export function connectRedis(url: string): Redis {
  const redis = new Redis(url);
  redis.on('error', () => {});
  return redis;
}
