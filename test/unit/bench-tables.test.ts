import { describe, expect, test } from 'vitest';
import { chartsOf } from '../../bench/charts.ts';
import { digits, withRange } from '../../bench/format.ts';
import { readOptions } from '../../bench/options.ts';
import { section } from '../../bench/tables.ts';
import { UsageProblem } from '../../dev/arguments.ts';
import { outcomesOf } from '../support/bench-outcomes.ts';

const PUT = { workload: 'put', clients: 64 } as const;
const perSecond = (...values: number[]) => values.map((value) => ({ perSecond: value }));
describe('tables', () => {
  test('compare round by round, add the parts of CPU time up, and name failures', () => {
    const all = [
      ...outcomesOf(
        { ...PUT, id: 'cached' },
        { perSecond: 200, cpuMicros: { server: 5, redis: 2 } },
        { perSecond: 20, errors: { 503: 4 } },
      ),
      ...outcomesOf({ ...PUT, id: 'a' }, { perSecond: 100 }, { perSecond: 10 }),
    ];
    const lines = section(all, { ...PUT, bytes: 100 })!.split('\n');
    const of = (name: string) => lines.filter((line) => line.startsWith(`| system ${name} `));
    expect(
      of('cached')[0]!
        .split('|')
        .map((cell) => cell.trim()),
    ).toEqual(['', 'system cached', '110 (20.0–200)', '2.00', ...['0.00', '0.00', '0.00'], '4 × 503', '']);
    expect(of('cached')[1]).toContain('S 5 R 2 = 7');
    expect(lines.indexOf(of('a')[0]!)).toBeLessThan(lines.indexOf(of('cached')[0]!));
  });

  test('show no latency where nothing was answered, and say what never reached PostgreSQL', () => {
    const backlog = { writes: 5, seconds: undefined };
    const all = outcomesOf({ ...PUT, id: 'cached' }, { measured: 0, backlog });
    const text = section(all, { ...PUT, bytes: 100 })!;
    expect(text).toMatch(/system cached \| +0\.00 \| +– \| +– \| +– \|/);
    expect(text).toContain('5, NOT PERSISTED');
  });

  test('round figures to what they say', () => {
    expect([12_345.6, 45.67, 1.234, 0.01234, 0].map(digits)).toEqual([
      '12,346',
      '45.7',
      '1.23',
      '0.0123',
      '0.00',
    ]);
    expect(withRange(undefined)).toBe('–');
  });
});

describe('charts', () => {
  test('are of what was measured: requests/s for one of (b), and the lag of what writes behind', () => {
    const all = [
      ...outcomesOf({ ...PUT, id: 'b' }, ...perSecond(100)),
      ...outcomesOf({ ...PUT, id: 'cached' }, { perSecond: 250, lag: { p50: 3, p99: 9, keepsUp: 1 } }),
    ];
    const charts = chartsOf(all);
    expect(charts.map(({ name }) => name)).toEqual(['bench-put-64', 'bench-lag']);
    expect(charts[0]!.svg).toContain('2.50 × (250/s)');
    expect(charts[1]!.svg).toContain('3.00 / 9.00 ms');
  });
});

describe('options', () => {
  test('choose scenarios, of which --only leaves some, and numbers ask for a product', () => {
    expect(readOptions(['--quick', '--only', 'get'])?.scenarios).toEqual([
      { workload: 'get', clients: 64, bytes: 100 },
    ]);
    const product = readOptions(['--only', 'put,increment', '--clients', '1,8', '--sizes', '100,1024'])!;
    expect(
      product.scenarios.map(({ workload, clients, bytes }) => `${workload} ${clients} ${bytes}`),
    ).toEqual([
      ...['put 1 100', 'put 1 1024', 'put 8 100', 'put 8 1024'],
      ...['increment 1 100', 'increment 8 100'],
    ]);
    expect(() => readOptions(['--systems', 'z'])).toThrow(UsageProblem);
  });
});
