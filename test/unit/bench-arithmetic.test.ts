import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHistogram } from '../../bench/histogram.ts';
import { paceOf } from '../../bench/lag.ts';
import { median, ratios, spread } from '../../bench/statistics.ts';

describe('the histogram', () => {
  test('gives quantiles within a hundredth of the exact ones, whatever the latencies', () => {
    const micros = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 60_000_000 }));
    fc.assert(
      fc.property(
        fc.array(micros, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const histogram = createHistogram();
          for (const value of values) histogram.record(value / 1_000);
          const rank = Math.max(1, Math.ceil(share * values.length));
          const exact = [...values].sort((a, b) => a - b)[rank - 1]! / 1_000;
          expect(histogram.count).toBe(values.length);
          expect(Math.abs(histogram.quantile(share) - exact)).toBeLessThanOrEqual(exact * 0.01);
        },
      ),
    );
  });

  test('of no latencies gives 0, and longer ones than it can hold count as the longest', () => {
    const histogram = createHistogram();
    expect(histogram.quantile(0.5)).toBe(0);
    histogram.record(1e12);
    histogram.record(-1);
    expect(histogram.quantile(0)).toBe(0);
    expect(histogram.quantile(1)).toBeGreaterThan(2_000_000);
  });
});

describe('rounds', () => {
  test('are summed up by their median and their extremes, in whatever order they came', () => {
    expect(spread([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(spread([])).toBeUndefined();
  });

  test('are compared one by one, so that a slow moment of the machine does not change a ratio', () => {
    const quiet = 1_000;
    const disturbed = 250;
    expect(ratios([quiet, disturbed, quiet], [quiet / 2, disturbed / 2, quiet / 2])).toEqual({
      median: 2,
      min: 2,
      max: 2,
    });
  });

  test('in which the other did nothing, or was not there, do not count', () => {
    expect(ratios([10, 20, 30], [0, 10])).toEqual({ median: 2, min: 2, max: 2 });
    expect(ratios([10], [0])).toBeUndefined();
  });
});

test('the pace of rows is that of a line through them, also where they come in steps', () => {
  const at = (slope: number, step: number) =>
    Array.from({ length: 1_500 }, (_, ms) => ({
      acknowledged: 5_000 + ms,
      written: 5_100 + slope * step * Math.ceil(ms / step),
    }));
  expect(paceOf(at(1, 1))).toBeCloseTo(1, 6);
  expect(paceOf(at(2, 1))).toBeCloseTo(0.5, 6);
  expect(paceOf(at(1, 210))).toBeCloseTo(1, 1);
  expect(paceOf([])).toBeUndefined();
  expect(paceOf([{ acknowledged: 1, written: 2 }])).toBeUndefined();
});
