import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../dev/clone.ts';
import { until } from '../../dev/until.ts';
import { temporaryFolder } from '../support/services.ts';

function node(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...env } });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (text) => {
    texts.out += text;
  });
  child.stderr.on('data', (text) => {
    texts.err += text;
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, ...texts }));
  });
  return { child, ended };
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a build with nothing to do is silent and quick', async () => {
  await node(['dev/build.mjs']).ended;
  const begin = performance.now();
  expect(await node(['dev/build.mjs']).ended).toEqual({ code: 0, out: '', err: '' });
  expect(performance.now() - begin).toBeLessThan(2_000);
});

test('a busy port ends "npm run dev" with one clear line before anything is started', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const result = await node(['dist/dev/main.js'], { PORT: String(port), HOST: '127.0.0.1' }).ended;
  server.close();
  expect(result).toEqual({
    code: 1,
    out: '',
    err: `Port ${port} on 127.0.0.1 is taken: nothing was started. Set PORT to another one.\n`,
  });
});

test('a wrong setting ends "npm run dev" before anything is started', async () => {
  const result = await node(['dist/dev/main.js'], { PORT: 'eighty' }).ended;
  expect(result).toMatchObject({ code: 1, out: '' });
  expect(result.err).toBe('Holdfast cannot start with these settings:\n  - PORT: must be a whole number\n');
});

test('an address in the environment at which nothing answers is named', async () => {
  const env = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x' };
  const result = await node(['dist/dev/stack-main.js'], { ...env, TEMPORAL_ADDRESS: '127.0.0.1:1' }).ended;
  expect(result.code).toBe(1);
  expect(result.err.trim().split('\n')).toEqual([
    'Redis: nothing answers at 127.0.0.1:1, where REDIS_URL points to',
    'PostgreSQL: nothing answers at 127.0.0.1:1, where DATABASE_URL points to',
    'Temporal: nothing answers at 127.0.0.1:1, where TEMPORAL_ADDRESS points to',
  ]);
});

test('children and temporary folders do not outlive a killed parent', async () => {
  const folder = temporaryFolder('guard');
  const pidFile = join(folder, 'pid');
  const doomed = join(folder, 'doomed');
  const script = `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { startChild } from '${ROOT}/dist/dev/services/child.js';
    import { guardFolder } from '${ROOT}/dist/dev/services/guard.js';
    mkdirSync(${JSON.stringify(doomed)});
    guardFolder(${JSON.stringify(doomed)});
    const child = await startChild({
      name: 'sleep', command: 'sleep', args: ['600'], cwd: '/', output: { file: ${JSON.stringify(join(folder, 'log'))} },
    });
    writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
  `;
  const parent = node(['--input-type=module', '-e', script]);
  await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '', { what: 'the child' });
  const pid = Number(readFileSync(pidFile, 'utf8'));
  expect(alive(pid)).toBe(true);
  parent.child.kill('SIGKILL');
  await until(() => !alive(pid) && !existsSync(doomed), { what: 'the end of the child and its folder' });
});
