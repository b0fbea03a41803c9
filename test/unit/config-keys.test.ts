import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseConfigFile } from '../../config/config-file.ts';
import { requireKeysBeyondLoopback } from '../../config/exposure.ts';
import { jsonLines } from '../../config/json-lines.ts';
import { digestOf, newApiKey, rateLimitsOf } from '../../config/keys.ts';
import { SettingsError } from '../../config/problem.ts';
import { testKey } from '../support/api-key.ts';

const collections = { carts: { mode: 'write-behind' }, orders: { mode: 'write-through' } };
const parse = (keys: unknown, others: unknown = collections) =>
  parseConfigFile('file.json', JSON.stringify({ collections: others, keys }));

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test('a new key has 256 random bits and a form of its own', () => {
  const made = new Set(Array.from({ length: 100 }, newApiKey));
  expect(made.size).toBe(100);
  for (const key of made) expect(key).toMatch(/^hf_[0-9a-f]{64}$/);
  expect(digestOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a key is read with its scopes and its rate', () => {
  const { entry } = testKey('shop', ['read:*', 'write:carts', 'write:orders', 'ops']);
  const [key] = parse([{ ...entry, rate: { perSecond: 10 } }]).keys;
  expect(key).toEqual({
    name: 'shop',
    digest: entry.digest.slice(7),
    scopes: {
      ...{ read: new Set(['*']), write: new Set(['carts', 'orders']) },
      ...{ ops: true, codec: false, metrics: true },
    },
    rate: { perSecond: 10, burst: 20 },
  });
  expect(Object.isFrozen(key)).toBe(true);
});

test('a file without keys has none', () => {
  expect(parse(undefined).keys).toEqual([]);
});

test('a key without a rate has that of the environment; 0 is none', () => {
  const keys = parse([
    testKey('a', ['ops']).entry,
    testKey('b', ['ops'], { perSecond: 5, burst: 7 }).entry,
  ]).keys;
  expect([...rateLimitsOf(keys, { RATE_PER_SECOND: 100 })]).toEqual([
    ['a', { perSecond: 100, burst: 200 }],
    ['b', { perSecond: 5, burst: 7 }],
  ]);
  expect([...rateLimitsOf(keys, { RATE_PER_SECOND: 0 }).keys()]).toEqual(['b']);
});

describe('problems', () => {
  test('are listed all at once, each with its place in the file, those of collections among them', () => {
    const good = testKey('good', ['read:carts']).entry;
    const problems = problemsOf(() =>
      parse(
        [
          good,
          { ...good, scopes: ['read:cart', 'write:*'] },
          { ...good, name: 'Shop', digest: newApiKey() },
          { name: 'x', digest: good.digest, scopes: ['read', 'admin', 'delete:carts', 'read:a/b'] },
          { ...testKey('y', ['ops']).entry, scopes: [], rate: { perSecond: 0, burst: 1.5 }, expires: 1 },
        ],
        { ...collections, broken: { mode: 'write-around' } },
      ),
    );
    expect(problems.map((line) => /^HOLDFAST_CONFIG: file\.json: ([\w.]+): /.exec(line)?.[1]).sort()).toEqual(
      [
        'collections.broken.mode',
        'keys.1.digest',
        'keys.1.name',
        'keys.1.scopes.0',
        'keys.2.digest',
        'keys.2.name',
        'keys.3.digest',
        'keys.3.scopes.0',
        'keys.3.scopes.1',
        'keys.3.scopes.2',
        'keys.3.scopes.3',
        'keys.4',
        'keys.4.rate.burst',
        'keys.4.rate.perSecond',
        'keys.4.scopes',
      ],
    );
    expect(problems.join('\n')).toMatch(/keys\.1\.scopes\.0: there is no collection "cart"/);
  });

  test('never show a key that was put where its digest belongs', () => {
    const token = newApiKey();
    const problems = problemsOf(() => parse([{ name: 'a', digest: token, scopes: ['ops'] }]));
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain(token.slice(0, 10));
  });

  test('an empty list is one: it would open what was closed', () => {
    expect(problemsOf(() => parse([]))).toEqual([expect.stringContaining('leave "keys" out')]);
  });
});

describe('without any key', () => {
  const check = (HOST: string, ALLOW_ANONYMOUS = false) =>
    problemsOf(() => requireKeysBeyondLoopback({ HOST, ALLOW_ANONYMOUS }, []));

  test.each(['127.0.0.1', 'localhost', '::1', '127.9.9.9'])('HOST may be %s', (host) => {
    expect(check(host)).toEqual([]);
  });

  test.each(['0.0.0.0', '::', '192.168.1.5', 'localhost.example.com', '127.0.0.1.example.com'])(
    'HOST must not be %s: the problem says what to do',
    (host) => {
      expect(check(host)).toEqual([expect.stringMatching(/^HOST: .*npm run keys.*ALLOW_ANONYMOUS=true/)]);
      expect(check(host, true)).toEqual([]);
      const { key } = testKey('a', ['ops']);
      requireKeysBeyondLoopback({ HOST: host, ALLOW_ANONYMOUS: false }, [key]);
    },
  );
});

test('JSON for people keeps its meaning and its lines short', () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../holdfast.config.json'), 'utf8');
  expect(`${jsonLines(JSON.parse(text))}\n`).toBe(text);
  const value = {
    a: [],
    b: {},
    c: [testKey('shop', ['read:*']).entry, null, 'x'.repeat(200), [[1]]],
    d: -0.5,
  };
  expect(JSON.parse(jsonLines(value))).toEqual(value);
});
