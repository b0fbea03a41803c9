import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseConfigFile } from '../../config/config-file.ts';
import { digestOf } from '../../config/keys.ts';
import { runKeys } from '../../config/keys-command.ts';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keys-'));
  file = join(folder, 'holdfast.config.json');
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => writeFileSync(file, '{"collections": {"carts": {"mode": "write-behind"}}}'));

function run(...args: string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  const code = runKeys({ args, print: (line) => out.push(line), printError: (line) => errors.push(line) });
  return { code, out: out.join('\n'), errors: errors.join('\n') };
}

const keysIn = (text: string) => text.match(/hf_[0-9a-f]{64}/g) ?? [];

test('create shows the key once, and the entry with its digest only', () => {
  const { code, out, errors } = run(
    'create',
    '--name',
    'shop',
    '--scope',
    'read:carts',
    '--scope',
    'ops',
    '--rate',
    '5',
  );
  expect([code, errors]).toEqual([0, '']);
  expect(out).toContain('shown this once');
  const [token = '', ...more] = keysIn(out);
  expect(more).toEqual([]);
  const entry = JSON.parse(out.slice(out.indexOf('  {'), out.lastIndexOf('}') + 1)) as object;
  expect(entry).toEqual({
    name: 'shop',
    digest: `sha256:${digestOf(token)}`,
    scopes: ['read:carts', 'ops'],
    rate: { perSecond: 5 },
  });
});

test('create --write adds the entry to the file, and the key is in the output alone', () => {
  const first = run('create', '--name', 'a', '--scope', 'read:carts', '--write', file);
  const second = run(
    'create',
    '--name',
    'b',
    '--scope',
    'write:*',
    '--rate',
    '5',
    '--burst',
    '9',
    '--write',
    file,
  );
  expect([first.code, second.code]).toEqual([0, 0]);
  const text = readFileSync(file, 'utf8');
  expect(keysIn(text)).toEqual([]);
  const { keys, collections } = parseConfigFile(file, text);
  expect(keys.map(({ name, digest, rate }) => [name, digest, rate])).toEqual([
    ['a', digestOf(keysIn(first.out)[0]!), undefined],
    ['b', digestOf(keysIn(second.out)[0]!), { perSecond: 5, burst: 9 }],
  ]);
  expect([...collections.keys()]).toEqual(['carts']);
});

test.each([
  ['a name that is taken', ['--name', 'taken', '--scope', 'ops'], 'is the name of another key'],
  ['a collection that is not there', ['--name', 'new', '--scope', 'read:orders'], 'no collection "orders"'],
])('a file does not take %s: it stays as it is, and no key is shown', (_, args, reason) => {
  run('create', '--name', 'taken', '--scope', 'ops', '--write', file);
  const before = readFileSync(file, 'utf8');
  const { code, out, errors } = run('create', ...args, '--write', file);
  expect([code, out]).toEqual([1, '']);
  expect(errors).toContain(reason);
  expect(readFileSync(file, 'utf8')).toBe(before);
});

test('a file that cannot be read or is no configuration is said so', () => {
  const write = (path: string) => run('create', '--name', 'a', '--scope', 'ops', '--write', path);
  expect(write(join(folder, 'none.json'))).toMatchObject({
    code: 1,
    out: '',
    errors: expect.stringContaining('ENOENT'),
  });
  writeFileSync(file, '{');
  expect(write(file)).toMatchObject({ code: 1, out: '' });
  expect(readFileSync(file, 'utf8')).toBe('{');
});

test.each([
  [[], 'a command is missing'],
  [['list'], 'there is no command "list"'],
  [['create'], '--scope: must not be empty'],
  [['create', '--scope', 'ops'], '--name: must be'],
  [['create', '--name', 'A B', '--scope', 'ops'], '--name: must be'],
  [['create', '--name', 'a', '--scope', 'admin'], '--scope: must be'],
  [['create', '--name', 'a', '--scope', 'ops', '--rate', '0'], '--rate: must be a whole number'],
  [['create', '--name', 'a', '--scope', 'ops', '--rate', 'fast'], '--rate: must be a whole number'],
  [['create', '--name', 'a', '--scope', 'ops', '--burst', '5'], '--burst: only together with --rate'],
  [['create', '--name', 'a', '--scop', 'ops'], "Unknown option '--scop'"],
  [['create', 'a', '--scope', 'ops'], 'a'],
])('%j is answered with 2, what is wrong, and how it is done', (args, problem) => {
  const { code, out, errors } = run(...args);
  expect([code, out]).toEqual([2, '']);
  expect(errors).toContain(problem);
  expect(errors).toContain('usage: npm run keys -- create');
});

test('--help is no mistake', () => {
  expect(run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('usage:'), errors: '' });
});
