import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documentedCommands, missingFrom } from '../support/documented-commands.ts';
import { temporaryFolder } from '../support/services.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'http.md'), 'utf8');
const commands = documentedCommands(page);
const withCurl = commands
  .map((example, index) => ({ ...example, index }))
  .filter(({ command }) => command.includes('curl'));
// Those of Operations are about writes that wait: a test of its own makes one.
const examples = withCurl.filter(({ section }) => section !== 'Operations');
const operations = withCurl.filter(({ section }) => section === 'Operations');

/** `--json` came with 7.82, `%header` with 7.84. `undefined`: it will do. */
const curlProblem = ((): string | undefined => {
  try {
    const [, major = 0, minor = 0] =
      /^curl (\d+)\.(\d+)/.exec(execFileSync('curl', ['--version'], { encoding: 'utf8' })) ?? [];
    return Number(major) * 100 + Number(minor) >= 784
      ? undefined
      : `curl ${major}.${minor} is older than 7.84`;
  } catch {
    return 'there is no curl';
  }
})();
if (curlProblem !== undefined) {
  console.warn(`The examples of docs/http.md are not run: ${curlProblem}. Install curl 7.84 or newer.`);
}

let system: System;
/** What each example printed, by its index. */
const printed = new Map<number, string>();

/** Runs examples in one shell, in their order: later ones use what earlier ones wrote. */
function run(chosen: typeof examples, url: string, env: Readonly<Record<string, string>> = {}): void {
  const END = '\x1e';
  const script = chosen.map(({ command }) => `${command}\nprintf '${END}'`).join('\n');
  const output = execFileSync('bash', ['-c', script.replaceAll('localhost:8080', new URL(url).host)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH, ...env },
  }).split(END);
  for (const [i, { index }] of chosen.entries()) printed.set(index, output[i] ?? '');
}

/** The configuration file with the key of `npm run keys`, made as the page says it, and that key. */
function withKey(): { readonly file: string; readonly key: string } {
  const [, args = ''] =
    commands.map(({ command }) => /^npm run keys -- (.*)$/.exec(command)).find((match) => match !== null) ??
    [];
  const folder = temporaryFolder('keys');
  copyFileSync(join(root, 'holdfast.config.json'), join(folder, 'holdfast.config.json'));
  const main = join(root, 'dist', 'config', 'keys-main.js');
  const shown = execFileSync('node', [main, ...args.split(' ')], { cwd: folder, encoding: 'utf8' });
  return { file: join(folder, 'holdfast.config.json'), key: /hf_\w+/.exec(shown)?.[0] ?? '' };
}

beforeAll(async () => {
  system = await startSystem();
  if (curlProblem !== undefined) return;
  const needsKey = ({ section }: { section: string }) => section === 'Access';
  run(
    examples.filter((example) => !needsKey(example)),
    system.url,
  );
  const { file, key } = withKey();
  const { url } = await system.startApi({ HOLDFAST_CONFIG: file });
  run(examples.filter(needsKey), url, { HOLDFAST_KEY: key });
});
afterAll(() => system?.stop());

test.skipIf(curlProblem !== undefined).each(examples)('$section: $command', ({ index, shown }) => {
  const output = printed.get(index) ?? '';
  expect(missingFrom(output, shown), output).toEqual([]);
});

test.skipIf(curlProblem !== undefined)(
  'Operations: the examples answer as shown, of a write that waits',
  async () => {
    // As a full disk would: no row can be written, and the batch is tried again and again.
    await system.db.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '53100'; END $$`);
    await system.db.query(
      'CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION refuse()',
    );
    try {
      const ada = entryUrl(system.url, 'carts', 'ada');
      const { version } = (await call('PUT', ada, { body: 1 })).json;
      const { pending } = (await call('GET', `${ada}/explanation`)).json;
      const known = {
        '1790000000000000': String(version),
        'write-behind:p00:s03': String(pending.workflowId),
      };
      const command = (text: string) =>
        Object.entries(known).reduce((all, [sample, own]) => all.replaceAll(sample, own), text);
      run(
        operations.map((example) => ({ ...example, command: command(example.command) })),
        system.url,
      );
    } finally {
      await system.db.query('DROP FUNCTION refuse CASCADE');
    }
    const [summary, discard, ...others] = operations;
    expect(others).toEqual([]);
    // Its figures are those of an outage; its members are those of any moment.
    const members = (text: string) => Object.keys(JSON.parse(text));
    const shown = summary?.shown.join('').replaceAll('[…]', '[]').replaceAll('{…}', '{}') ?? '';
    expect(members(shown)).toEqual(members(printed.get(summary?.index ?? 0) ?? ''));
    expect(missingFrom(printed.get(discard?.index ?? 0) ?? '', discard?.shown ?? [])).toEqual([]);
  },
);

test('every example says what it answers, and every kind of request has one', () => {
  for (const { command, shown } of examples) expect(shown, command).not.toEqual([]);
  const all = examples.map(({ command }) => command).join('\n');
  for (const part of [
    '-X PUT',
    '-X PATCH',
    '-I ',
    '/increment',
    '/batch',
    '/read',
    '/invalidate',
    '?prefix=',
  ]) {
    expect(all).toContain(part);
  }
  for (const header of ['prefer', 'if-match', 'if-none-match', 'idempotency-key', 'authorization']) {
    expect(all).toContain(`${header}: `);
  }
});

test('From TypeScript: the example has the types that it needs, and runs', async () => {
  const [, code = ''] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const folder = temporaryFolder('client');
  const file = join(folder, 'example.ts');
  const client = join(root, 'dist', 'client', 'holdfast-client.js');
  writeFileSync(file, code.replace('holdfast/client', client).replace('http://127.0.0.1:8080', system.url));
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  // With our own settings, which are strict.
  const project = { extends: join(root, 'tsconfig.json'), files: [file], include: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const types = ['--typeRoots', join(root, 'node_modules', '@types')];
  const checked = spawnSync(process.execPath, [tsc, '-p', folder, ...types], { encoding: 'utf8' });
  expect(checked.stdout + checked.stderr).toBe('');
  const views = entryUrl(system.url, 'page-views', 'home');
  const before = Number((await call('GET', views)).text);
  await import(pathToFileURL(file).href);
  expect((await call('GET', entryUrl(system.url, 'carts', 'ada'))).json).toEqual({ items: ['tea', 'milk'] });
  expect(Number((await call('GET', views)).text)).toBe(before + 1);
});
