import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfigFile } from '../../config/config-file.ts';
import { SettingsError } from '../../config/problem.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'collections-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function readText(text: string) {
  const path = join(folder, 'holdfast.config.json');
  writeFileSync(path, text);
  return readConfigFile(path).collections;
}

const readJson = (collections: unknown) => readText(JSON.stringify({ collections }));

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

test('the shipped file gives the three collections of the documentation', () => {
  const collections = readConfigFile(resolve(import.meta.dirname, '../../holdfast.config.json')).collections;
  expect([...collections.values()]).toEqual([
    {
      name: 'orders',
      mode: 'write-through',
      kind: 'document',
      acknowledge: 'persisted',
      reads: 'latest',
      cacheTtlSeconds: 3600,
    },
    {
      name: 'carts',
      mode: 'write-behind',
      kind: 'document',
      acknowledge: 'queued',
      reads: 'latest',
      cacheTtlSeconds: 3600,
    },
    {
      name: 'page-views',
      mode: 'write-behind',
      kind: 'counter',
      acknowledge: 'cached',
      reads: 'latest',
      cacheTtlSeconds: 3600,
    },
  ]);
});

test('write-behind answers at queued unless the file says otherwise, write-through always at persisted', () => {
  const collections = readJson({
    a: { mode: 'write-behind' },
    b: { mode: 'write-behind', acknowledge: 'persisted' },
    c: { mode: 'write-through' },
    d: { mode: 'write-through', acknowledge: 'persisted' },
  });
  expect([...collections.values()].map((c) => c.acknowledge)).toEqual([
    'queued',
    'persisted',
    'persisted',
    'persisted',
  ]);
});

test('a collection cannot be changed after it was read', () => {
  expect(Object.isFrozen(readJson({ a: { mode: 'write-behind' } }).get('a'))).toBe(true);
});

describe('problems', () => {
  test('are listed all at once, each with its place in the file', () => {
    const problems = problemsOf(() =>
      readJson({
        a: { mode: 'write-around' },
        b: { mode: 'write-behind', kind: 'list' },
        c: { mode: 'write-through', acknowledge: 'cached' },
        d: { mode: 'write-behind', cacheTtlSeconds: 0 },
        e: { mode: 'write-behind', ttl: 5 },
        'F/g': { mode: 'write-behind' },
      }),
    );
    const places = problems.map((line) => /: collections\.([\w/.]+): /.exec(line)?.[1]);
    expect(places).toEqual(
      expect.arrayContaining(['a.mode', 'b.kind', 'c.acknowledge', 'd.cacheTtlSeconds', 'e', 'F/g']),
    );
    expect(problems).toHaveLength(6);
    for (const line of problems) expect(line).toMatch(/^HOLDFAST_CONFIG: .*holdfast\.config\.json: /);
  });

  test('write-through says why it takes no other level', () => {
    const read = () => readJson({ a: { mode: 'write-through', acknowledge: 'queued' } });
    expect(read).toThrow(/a\.acknowledge: write-through always answers at "persisted"/);
  });

  test.each(['', '{', '[]', '{}', 'null', '{"collections": []}', '{"collection": {}}'])(
    '%j is refused',
    (text) => {
      expect(problemsOf(() => readText(text))).not.toEqual([]);
    },
  );

  test('a file that is not there is named', () => {
    expect(problemsOf(() => readConfigFile(join(folder, 'none.json')))[0]).toMatch(/none\.json: ENOENT/);
  });
});
