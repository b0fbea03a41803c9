import { describe, expect, test } from 'vitest';
import { documentBody } from '../../bench/document-body.ts';
import { backlogEntry, backlogIdBytes, onePerPartition } from '../../bench/growth/backlog-entries.ts';
import { type BacklogFound, backlogSection } from '../../bench/growth/backlog-section.ts';
import type { Footprint } from '../../bench/growth/footprint.ts';
import { readOptions } from '../../bench/growth/options.ts';
import { entriesPerBatch, partitionsFor } from '../../bench/growth/partitions.ts';
import { constellationsOf } from '../../bench/growth/processes.ts';
import type { Sample } from '../../bench/growth/samples.ts';
import { footprintTable, probeTables } from '../../bench/growth/tables.ts';
import { requestText } from '../../bench/request-text.ts';
import { UsageProblem } from '../../dev/arguments.ts';
import { partitionOf } from '../../domain/partition.ts';
import { outcomesOf } from '../support/bench-outcomes.ts';

const cellsOf = (line: string) => line.split('|').map((cell) => cell.trim());

const EMPTY: Footprint = {
  ...{ rows: 0, table: 0, indexes: 0, resident: {}, redisUsed: 0, redisKeys: 0, temporalFile: 0 },
};

describe('options', () => {
  test('are a full run where nothing is said', () => {
    expect(readOptions([])).toMatchObject({
      parts: ['keys', 'finished', 'processes', 'backlog'],
      keys: [1_000, 10_000, 100_000, 1_000_000, 10_000_000],
      apis: [1, 2, 3, 4],
      workers: [1, 2, 3],
      backlog: 1_000_000,
      measureMs: 1_000,
      write: false,
    });
    expect(readOptions(['--help'])).toBeUndefined();
  });

  test('bring what is filled up further into the order in which that is possible', () => {
    const options = readOptions(['--keys', '5000,1000', '--finished', '9,0', '--only', 'backlog,keys']);
    expect(options).toMatchObject({ keys: [1_000, 5_000], finished: [0, 9], parts: ['keys', 'backlog'] });
  });

  test.each([
    ['--keys', '999'],
    ['--keys', '1000,1000'],
    ['--only', 'rows'],
    ['--backlog', '150'],
    ['--apis', '0'],
    ['--seconds', 'one'],
    ['--rounds', '2'],
  ])('%s %s is refused', (name, value) => {
    expect(() => readOptions([name, value])).toThrow(UsageProblem);
  });
});

describe('partitions', () => {
  test('are as many as the batches of a backlog need, with slots to spare in each', () => {
    expect(entriesPerBatch(10, 5)).toBe(4_000);
    const [writes, bytes] = [1_000_000, 30];
    const each = entriesPerBatch(backlogIdBytes(writes), bytes);
    expect(each).toBe(Math.floor((512 * 1_024) / ('carts/backlog-999999'.length + 19 + bytes + 96)));
    const partitions = partitionsFor(writes, backlogIdBytes(writes), bytes);
    expect(partitions * 28 * each).toBeGreaterThan(writes);
    expect((partitions - 1) * 28 * each * 0.97).toBeLessThan(writes);
    expect(partitionsFor(100, 20, 30)).toBe(1);
    expect(() => partitionsFor(1e9, 20, 30)).toThrow(RangeError);
  });

  test('have one entry each to be asked for, and that is theirs', () => {
    const entries = onePerPartition(12, backlogEntry);
    expect(entries.map(({ key }) => partitionOf(`carts/${key}`, 12))).toEqual([...Array(12).keys()]);
  });
});

test('API processes and workers are varied one at a time, and nothing is measured twice', () => {
  const named = (apis: number[], workers: number[]) =>
    constellationsOf({ apis, workers }).map((one) => `${one.apis}+${one.workers}`);
  expect(named([1, 2], [1, 3])).toEqual(['1+1', '2+1', '1+3']);
  expect(named([2], [1])).toEqual(['2+1', '1+1']);
});

describe('requests', () => {
  test('spread over a range ask for each key once, from all over it, and then again', () => {
    const shape = { method: 'GET', path: ['/', ''], key: '', pick: 'spread', of: 1_000 } as const;
    const textOf = requestText({ ...shape, bytes: 0, reads: 0, batch: 0, headers: {} });
    const numbers = Array.from({ length: 1_000 }, (_, n) => Number(/\/(\d+)/.exec(textOf(n).text)?.[1]));
    expect(new Set(numbers).size).toBe(1_000);
    const first = numbers.slice(0, 100);
    expect(new Set(first.map((n) => Math.floor(n / 100))).size).toBe(10);
    expect(textOf(1_000)).toEqual(textOf(0));
  });

  test.each([29, 30, 96])('carry short JSON documents of exactly %i bytes', (bytes) => {
    expect(documentBody(123_456, bytes)).toHaveLength(bytes);
    expect(JSON.parse(documentBody(123_456, bytes))).toMatchObject({ id: '0000123456' });
  });
});

describe('tables', () => {
  const samplesOf = (step: string, perSecond: number[], references: number[]): Sample[] =>
    outcomesOf(
      { workload: 'put', clients: 64, id: 'cached' },
      ...perSecond.map((value) => ({ perSecond: value, cpuMicros: { server: 5, redis: 2 } })),
    ).map(({ measurement }, round) => ({
      ...{ step, probe: 'new', clients: 64, measurement, reference: references[round] ?? 0 },
    }));

  test('have a line for each step, compared round by round with how fast the machine was', () => {
    // It was half as fast in the second round and at the second step.
    const samples = [
      ...samplesOf('1,000', [100, 50], [200, 100]),
      ...samplesOf('10,000', [40, 40], [100, 100]),
    ];
    const lines = probeTables('keys', samples).split('\n');
    expect(lines[0]).toBe('### PUT `cached` of new keys, 64 clients');
    expect(cellsOf(lines[2]!).slice(1, 4)).toEqual(['keys', 'requests/s', '× (a)']);
    expect(cellsOf(lines[4]!).slice(1, 4)).toEqual(['1,000', '75.0 (50.0–100)', '0.50']);
    expect(cellsOf(lines[5]!).slice(1, 4)).toEqual(['10,000', '40.0', '0.40']);
    expect(lines[5]).toContain('S 5 R 2 = 7');
  });

  test('say where the load generator was as busy as a process can be', () => {
    const [sample] = samplesOf('1,000', [100], [200]);
    const busy = { ...sample!, measurement: { ...sample!.measurement, ownCpu: 0.97 } };
    expect(probeTables('keys', [sample!])).not.toContain('limit');
    expect(probeTables('keys', [busy])).toContain('used 97.0 % of a core');
  });

  test('of sizes leave out what does not run', () => {
    const [, , line] = footprintTable('keys', [
      ['1,000', { ...EMPTY, rows: 1_234, resident: { server: 150.4 } }],
    ]).split('\n');
    expect(cellsOf(line!).slice(1, 7)).toEqual(['1,000', '1,234', '0.00', '0.00', '150', '–']);
  });

  test('of a backlog give bytes for each write, and the rate without the recovery', () => {
    const recovered = [
      { writeMs: 1_000, readMs: 2_000, refused: 0 },
      { writeMs: 3_000, readMs: 4_000, refused: 5 },
    ];
    const found: BacklogFound = {
      ...{ writes: 2 ** 20, partitions: 2, acknowledgedMs: 1_000, inTemporalMs: 2_000, recovered },
      ...{ before: { ...EMPTY, redisUsed: 10 }, after: { ...EMPTY, redisUsed: 310 }, drainedTo: EMPTY },
      drained: {
        ...{ firstRowMs: 500, recovered, rowsThen: 2 ** 19, restMs: 1_000, allMs: 4_000, workerPeakMb: 321 },
      },
    };
    const text = backlogSection(found);
    expect(text).toMatch(/^\| all in Temporal +\| +2\.00 \| +524,288 \|$/m);
    expect(text).toMatch(/^\| from the second loss .*\| +1\.00 \| +524,288 \|$/m);
    expect(text).toMatch(/^\| – +\| +– \| +300 \| +– \|/m);
    expect(text).toMatch(/^\| no worker +\| +2\.00 \(1\.00–3\.00\) \| +3\.00 \(2\.00–4\.00\) \| +5 \|$/m);
    expect(text).toContain('321 MB');
  });
});
