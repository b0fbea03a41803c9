import { expect, test } from 'vitest';
import { barChart } from '../../bench/bar-chart.ts';
import type { Measurement } from '../../bench/measure.ts';
import type { Outcome } from '../../bench/outcome.ts';
import { createTally } from '../../bench/tally.ts';
import { verdicts } from '../../bench/verdicts.ts';
import { createZipf, seededRandom } from '../../bench/zipf.ts';

test('Zipf: the first key comes about twice as often as the second, none is out of range, and a seed repeats itself', () => {
  const draw = createZipf(1_000, seededRandom(1));
  const counts = new Map<number, number>();
  for (let i = 0; i < 100_000; i += 1) {
    const rank = draw();
    counts.set(rank, (counts.get(rank) ?? 0) + 1);
  }
  const of = (rank: number) => counts.get(rank) ?? 0;
  expect(of(0) / of(1)).toBeCloseTo(2 ** 0.99, 0);
  expect(of(0) / of(9)).toBeGreaterThan(8);
  expect(Math.min(...counts.keys())).toBe(0);
  expect(Math.max(...counts.keys())).toBeLessThan(1_000);
  const [one, other] = [createZipf(50, seededRandom(7)), createZipf(50, seededRandom(7))];
  for (let i = 0; i < 100; i += 1) expect(one()).toBe(other());
});

test('bars are as long as their values compare, and no label is markup', () => {
  const bar = { text: '', own: false };
  const svg = barChart({
    title: 'a < b',
    subtitle: '"&"',
    bars: [
      { ...bar, label: '<script>', value: 10 },
      { ...bar, label: 'half', value: 5 },
      { ...bar, label: 'none', value: 0 },
    ],
  });
  const [longest = 0, half, none] = [...svg.matchAll(/<rect class="other"[^>]* width="([\d.]+)"/g)].map(
    ([, width]) => Number(width),
  );
  expect(longest).toBeGreaterThan(100);
  expect([half, none]).toEqual([longest / 2, 0]);
  expect(svg).not.toContain('<script>');
  expect(svg).toContain('a &lt; b');
});

test('of a batch each operation counts, those that failed under their code, but its latency is that of one request', () => {
  const tally = createTally({ pick: 'each', batch: 3 });
  tally.succeed({ n: 0, writes: 3 }, '{"results":[{"code":"queue-full"},{},{}]}', 5);
  tally.succeed({ n: 1, writes: 3 }, '{"results":[{},{},{}]}', undefined);
  const result = tally.result({ from: 0, measuredMs: 1_000, ownCpu: 0 });
  expect(result).toMatchObject({ acknowledged: 5, measured: 2, perSecond: 2, errors: { 'queue-full': 1 } });
  expect(result.p50).toBeCloseTo(5, 0);
});

test('a goal is judged by the median of the rounds, where it is furthest from being reached, and not at all where it was not measured', () => {
  const of = (id: Outcome['id'], clients: number, round: number, perSecond: number): Outcome => ({
    workload: 'put',
    clients,
    bytes: 100,
    id,
    name: id,
    round,
    measurement: { perSecond } as Measurement,
  });
  const rounds = (clients: number, ratios: readonly number[]) =>
    ratios.flatMap((ratio, round) => [
      of('a', clients, round, 1_000 * (round + 1)),
      of('cached', clients, round, 1_000 * (round + 1) * ratio),
    ]);
  const judged = (outcomes: readonly Outcome[]) => verdicts(outcomes)[0];
  const good = rounds(64, [0.9, 0.1, 0.8]);
  expect(judged(good)).toMatchObject({
    wanted: '≥ 0.7',
    reached: 'yes',
    measured: '0.80 (0.10–0.90), 64 clients',
  });
  expect(judged([...good, ...rounds(256, [0.6])])).toMatchObject({
    reached: 'no',
    measured: '0.60, 256 clients',
  });
  expect(judged(rounds(1, [0.9]))).toMatchObject({ reached: '–', measured: 'not in this run' });
});
