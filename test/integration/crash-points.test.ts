import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { CRASH_POINTS } from '../../config/crash-points.ts';
import { ROOT } from '../../dev/clone.ts';

// Nothing listens there: a process waits for its database, and that is long enough to see how it starts.
const NOWHERE = {
  DATABASE_URL: 'postgres://127.0.0.1:1/none',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  REDIS_URL: 'redis://127.0.0.1:1',
};

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs node until it ends, or until its output matches `until`; then it is killed. */
function run(args: readonly string[], env: Record<string, string>, until?: RegExp): Promise<Ended> {
  const { HOLDFAST_CRASH_POINT: _, ...clean } = process.env;
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...clean, ...env } });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (text) => {
    texts.out += text;
    if (until?.test(texts.out) === true) child.kill('SIGKILL');
  });
  child.stderr.on('data', (text) => {
    texts.err += text;
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, ...texts }));
  });
}

/** Passes `after-seal` five times and `after-start` once between any two of them; says so with writes that nothing buffers. */
const PASSING = `
  import { writeSync } from 'node:fs';
  import { crashPoint } from ${JSON.stringify(pathToFileURL(join(ROOT, 'dist', 'config', 'crash-points.js')).href)};
  for (let pass = 1; pass <= 5; pass++) {
    writeSync(1, pass + ' ');
    crashPoint('after-start');
    crashPoint('after-seal');
  }
  writeSync(1, 'end');`;

const passing = (env: Record<string, string>) =>
  run(['--input-type=module', '--eval', PASSING], { ...NOWHERE, ...env });

test('without the variable a crash point does nothing', async () => {
  expect(await passing({})).toEqual({ code: 0, signal: null, out: '1 2 3 4 5 end', err: '' });
  expect(await passing({ HOLDFAST_CRASH_POINT: '' })).toMatchObject({ code: 0, out: '1 2 3 4 5 end' });
});

test('the process is killed at the pass that was asked for, and not one line later', async () => {
  expect(await passing({ HOLDFAST_CRASH_POINT: 'after-seal:3' })).toEqual({
    code: null,
    signal: 'SIGKILL',
    out: '1 2 3 ',
    err: '',
  });
  expect(await passing({ HOLDFAST_CRASH_POINT: 'after-seal:1' })).toMatchObject({
    signal: 'SIGKILL',
    out: '1 ',
  });
});

test('a pass that is never reached leaves the process alone', async () => {
  expect(await passing({ HOLDFAST_CRASH_POINT: 'after-seal:6' })).toMatchObject({
    code: 0,
    out: '1 2 3 4 5 end',
  });
});

const PROCESSES = ['dist/api/main.js', 'dist/worker/main.js'];

test.each(PROCESSES)(
  '%s does not start with an unknown crash point, and names those there are',
  async (script) => {
    const { code, out, err } = await run([script], { ...NOWHERE, HOLDFAST_CRASH_POINT: 'after-sael:1' }, /./);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^Holdfast cannot start with these settings:\n {2}- HOLDFAST_CRASH_POINT: [^\n]+\n$/);
    expect(err).toContain(CRASH_POINTS.join(', '));
  },
);

test.each(PROCESSES)('%s warns when it is going to kill itself, and only then', async (script) => {
  const [armed, unarmed] = await Promise.all([
    run([script], { ...NOWHERE, HOLDFAST_CRASH_POINT: 'after-seal:3' }, /waiting for/),
    run([script], NOWHERE, /waiting for/),
  ]);
  expect(armed.out.split('\n')[0]).toMatch(/"level":40.*HOLDFAST_CRASH_POINT.*pass 3.*after-seal/);
  expect(unarmed.out).not.toContain('HOLDFAST_CRASH_POINT');
});

test('every crash point is in the code, once', () => {
  const placed = ['activities', 'service', 'storage']
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true }).map((name) => join(ROOT, folder, String(name))),
    )
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^ *crashPoint\('([a-z-]+)'\);$/gm)])
    .map(([, point]) => point);
  expect(placed.sort()).toEqual([...CRASH_POINTS].sort());
});
