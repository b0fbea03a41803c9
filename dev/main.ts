import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readConfigFile } from '../config/config-file.ts';
import { readEnvironment } from '../config/environment.ts';
import { requireKeysBeyondLoopback } from '../config/exposure.ts';
import { ROOT } from './clone.ts';
import { writeEnvFile } from './env-file.ts';
import { readableLine } from './log-line.ts';
import { Problem } from './problem.ts';
import { type Child, startChild } from './services/child.ts';
import { freePort, isFree } from './services/ports.ts';
import { inForeground, type Session } from './session.ts';
import { startStack } from './stack.ts';
import { until } from './until.ts';
import { welcome } from './welcome.ts';

const PARTS = {
  migrate: 'dist/storage/migrate-main.js',
  worker: 'dist/worker/main.js',
  api: 'dist/api/main.js',
};

/** How long the API may take until it is ready, in milliseconds. */
const READY_MS = 120_000;

/** `npm run dev`: everything, in the foreground, until Ctrl-C. */
await inForeground(async (session) => {
  const environment = readEnvironment();
  const { HOST, PORT } = environment;
  const { keys } = readConfigFile(environment.HOLDFAST_CONFIG);
  requireKeysBeyondLoopback(environment, keys);
  for (const part of Object.values(PARTS)) {
    if (!existsSync(join(ROOT, part))) throw new Problem(`${part} is missing: nothing was started`);
  }
  const port = PORT === 0 ? await freePort() : PORT;
  if (!(await isFree(port, HOST))) {
    throw new Problem(`Port ${port} on ${HOST} is taken: nothing was started. Set PORT to another one.`);
  }

  const addresses = await startStack(session, port);
  const env = { ...process.env, ...addresses, HOST, PORT: String(port) };
  await migrate(session, env);
  const url = `http://${HOST.includes(':') ? `[${HOST}]` : HOST.replace('0.0.0.0', '127.0.0.1')}:${port}`;
  writeEnvFile(session, { ...addresses, HOLDFAST_URL: url });
  session.keep(await part(session, 'worker', PARTS.worker, env));
  session.keep(await part(session, 'API', PARTS.api, env));
  await untilApiIsReady(session, url);
  session.progress(await welcome({ url, addresses, needsKey: keys.length > 0 }));
});

function part({ progress }: Session, name: string, file: string, env: NodeJS.ProcessEnv): Promise<Child> {
  return startChild({
    name,
    command: process.execPath,
    args: ['--enable-source-maps', join(ROOT, file)],
    cwd: ROOT,
    env,
    graceMs: 20_000,
    output: { line: (line) => progress(`${name.padEnd(7)}| ${readableLine(line)}`) },
  });
}

async function migrate(session: Session, env: NodeJS.ProcessEnv): Promise<void> {
  const child = await part(session, 'migrate', PARTS.migrate, env);
  const how = await child.exited;
  if (how !== 'exit code 0') throw new Problem(`The migration of the database failed (${how}).`);
}

async function untilApiIsReady({ progress }: Session, url: string): Promise<void> {
  const begin = performance.now();
  let last = 'no answer';
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - begin) / 1_000);
    progress(`waiting for ${url}/readyz (${seconds} s): ${last}`);
  }, 10_000);
  try {
    const ready = async () => {
      const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
      const text = await response.text();
      last = `${response.status} ${text.slice(0, 500)}`;
      // "degraded" while the worker is not there yet: a row would keep the first visitor waiting.
      return (JSON.parse(text) as { status: string }).status === 'ready';
    };
    await until(ready, { timeoutMs: READY_MS, everyMs: 100, what: 'readiness' });
  } catch {
    throw new Problem(`The API did not become ready in ${READY_MS / 1_000} s: ${last}`);
  } finally {
    clearInterval(timer);
  }
}
