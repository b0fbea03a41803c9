import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { report } from '../faults/report.ts';
import { type Recorded, readResults, record } from '../faults/results.ts';

const scenario = (name: string) => ({
  ...{ name, promises: `what ${name} promises`, bed: { redis: 'always' as const }, minimumDuring: 1 },
  fault: async () => {},
});
const SCENARIOS = [scenario('frozen'), scenario('killed'), scenario('never-run')];
const session = {
  ...{ build: 'b1', commit: 'abc1234', machine: '2 cores' },
  versions: { node: '22.1.0', redis: '7.2.0', postgres: '17.1', temporal: '1.29.1' },
};

function result(name: string, seed: number, more: Partial<Recorded> = {}): Recorded {
  return {
    ...{ scenario: name, seed, outcome: 'passed', fired: true, during: 50, outageMs: 1_500, ms: 9_000 },
    ...{ calls: { ok: 1_000, failed: 20, unknown: 3 }, codes: {}, phases: {}, problems: [] },
    ...{ session, at: '2026-11-23T10:00:00.000Z' },
    ...more,
  };
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-report-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the report says of results that several sessions recorded, by the first cell of a line. */
function reported(results: readonly Recorded[]): {
  text: string;
  cells: (name: string) => string[] | undefined;
} {
  const file = join(folder, 'results.jsonl');
  for (const one of results) record(file, one);
  const text = report(SCENARIOS, readResults(file, 'b1'));
  const cells = (name: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`| ${name}`))
      ?.split('|')
      .map((cell) => cell.trim());
  return { text, cells };
}

test('sums up what several sessions recorded of one build', () => {
  const { text, cells } = reported([
    result('frozen', 1),
    result('frozen', 2),
    result('killed', 1, { at: '2026-11-24T01:00:00.000Z' }),
    result('killed', 2, { session: { ...session, build: 'another' } }),
  ]);
  expect(cells('frozen')?.slice(2, -1)).toEqual([
    'what frozen promises',
    '2/2',
    '2,000',
    '40',
    '6',
    '2',
    '3 s',
  ]);
  expect(cells('killed')?.[3]).toBe('1/1');
  expect(cells('never-run')).toBeUndefined();
  expect(cells('**2 scenarios')?.slice(3, -1)).toEqual(
    ['3/3', '3,000', '60', '9', '3', '5 s'].map((c) => `**${c}**`),
  );
  expect(text).toContain('2026-11-23 to 2026-11-24');
  expect(text).toContain('Node 22.1.0, Redis 7.2.0, PostgreSQL 17.1, Temporal 1.29.1');
  expect(text).toContain('abc1234');
  expect(text).not.toContain('did not pass');
});

test('a violation is not made good by running its seed again', () => {
  const { text, cells } = reported([
    result('frozen', 1, { outcome: 'violated', problems: ['lost: carts/x'] }),
    result('frozen', 1),
  ]);
  expect(cells('frozen')?.[3]).toBe('0/1');
  expect(text).toContain('- frozen, seed 1: violated; lost: carts/x');
});

test('a void run is made good by running its seed again', () => {
  const empty = { outcome: 'void', fired: false, during: 0 } as const;
  expect(reported([result('frozen', 1, empty), result('frozen', 1)]).cells('frozen')?.[3]).toBe('1/1');
  expect(reported([result('killed', 1, empty)]).cells('killed')?.[3]).toBe('0/1');
});

test('nothing recorded', () => {
  expect(reported([]).text).toMatch(/Nothing is recorded/);
});
