import { expect, test } from 'vitest';
import { barChart } from '../../bench/bar-chart.ts';
import { createTally } from '../../bench/tally.ts';
import { keepingNotes } from '../../bench/write-report.ts';
import { createZipf } from '../../bench/zipf.ts';
import { createRandom } from '../../dev/random.ts';

test('Zipf: the first key comes about twice as often as the second, none is out of range, and a seed repeats itself', () => {
  const draw = createZipf(1_000, createRandom('1').next);
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
  const [one, other] = [createZipf(50, createRandom('7').next), createZipf(50, createRandom('7').next)];
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
  const result = tally.result({ measuredMs: 1_000, ownCpu: 0 });
  expect(result).toMatchObject({ acknowledged: 5, measured: 2, perSecond: 2, errors: { 'queue-full': 1 } });
  expect(result.p50).toBeCloseTo(5, 0);
});

test('what people wrote below a report is kept when a new one is written, and nothing else', () => {
  const notes = '<!-- From here on written by hand: the benchmark keeps it. -->\n\n## Notes\n\nWords.\n';
  expect(keepingNotes(`# Old\n\nfigures\n\n${notes}`, '# New')).toBe(`# New\n\n${notes}`);
  expect(keepingNotes('# Old\n', '# New')).toBe('# New\n');
  expect(keepingNotes(keepingNotes(notes, '# New'), '# Newer')).toBe(`# Newer\n\n${notes}`);
});
