import { expect, test } from 'vitest';
import { createRateLimiter } from '../../service/rate-limiter.ts';

interface Client {
  /** Requests a second to each process. */
  readonly asks: readonly number[];
}

/** Processes that exchange what they are asked for each second, each at a moment of its own. */
function processes(count: number, limit = { perSecond: 100, burst: 200 }) {
  let now = 0;
  const limiters = Array.from({ length: count }, () =>
    createRateLimiter(new Map([['key', limit]]), () => now),
  );
  const told = limiters.map(() => new Map<string, number>());
  const sumOfOthers = (me: number) => {
    const sum = told.reduce((total, demand, i) => total + (i === me ? 0 : (demand.get('key') ?? 0)), 0);
    return new Map(sum === 0 ? [] : [['key', sum]]);
  };
  let tick = 0;
  return {
    /** Answers what each process let through in that time. */
    run(seconds: number, { asks }: Client): number[] {
      const passed = limiters.map(() => 0);
      for (let ms = 0; ms < seconds * 1_000; ms += 1) {
        now += 1;
        tick += 1;
        for (const [i, limiter] of limiters.entries()) {
          const perMs = (asks[i] ?? 0) / 1_000;
          const due = Math.floor(tick * perMs) - Math.floor((tick - 1) * perMs);
          for (let n = 0; n < due; n += 1) {
            if (limiter.take('key') === undefined) passed[i] = (passed[i] ?? 0) + 1;
          }
          if ((tick + i * 337) % 1_000 === 0) {
            told[i] = new Map(limiter.demand());
            limiter.share(sumOfOthers(i));
          }
        }
      }
      return passed;
    },
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

test('one process lets through the burst, then the rate', () => {
  const one = processes(1);
  expect(sum(one.run(10, { asks: [1_000] })) / (200 + 10 * 100)).toBeCloseTo(1, 2);
  expect(sum(one.run(10, { asks: [1_000] })) / (10 * 100)).toBeCloseTo(1, 2);
});

test('what is below the limit is never refused, however it moves between the processes', () => {
  const three = processes(3);
  for (const asks of [
    [90, 0, 0],
    [0, 90, 0],
    [45, 45, 0],
    [30, 30, 30],
    [0, 0, 90],
    [80, 5, 5],
  ]) {
    expect(sum(three.run(5, { asks }))).toBe(5 * 90);
  }
});

test('processes that are all asked for more let through the limit together, each by its demand', () => {
  const three = processes(3);
  three.run(5, { asks: [600, 300, 100] });
  const passed = three.run(20, { asks: [600, 300, 100] });
  expect(sum(passed) / 20).toBeGreaterThan(97);
  expect(sum(passed) / 20).toBeLessThan(103);
  expect(passed[0]! / passed[2]!).toBeGreaterThan(5);
  expect(passed[0]! / passed[2]!).toBeLessThan(7);
});

test('a process that nobody asked so far gets its part within two seconds', () => {
  const two = processes(2);
  two.run(10, { asks: [500, 0] });
  two.run(2, { asks: [500, 500] });
  const passed = two.run(10, { asks: [500, 500] });
  expect(sum(passed)).toBeLessThan(1_050);
  expect(passed[1]).toBeGreaterThan(450);
});

test('a process alone has all of the limit once the others are gone', () => {
  const two = processes(2);
  two.run(10, { asks: [500, 500] });
  two.run(8, { asks: [500, 0] });
  expect(sum(two.run(10, { asks: [500, 0] }))).toBeGreaterThan(970);
});

test('a refusal says when there is room again', () => {
  let now = 0;
  const limiter = createRateLimiter(new Map([['key', { perSecond: 2, burst: 1 }]]), () => now);
  expect(limiter.take('key')).toBeUndefined();
  expect(limiter.take('key')).toEqual({ retryAfterSeconds: 0.5, limit: { perSecond: 2, burst: 1 } });
  now += 499;
  expect(limiter.take('key')).toBeDefined();
  now += 1;
  expect(limiter.take('key')).toBeUndefined();
  // The others use all of it: at the next exchange that may be different.
  limiter.share(new Map([['key', 1_000]]));
  expect(limiter.take('key')!.retryAfterSeconds).toBe(5);
});

test('a key without a limit is never refused', () => {
  const limiter = createRateLimiter(new Map());
  for (let i = 0; i < 10_000; i += 1) expect(limiter.take('key')).toBeUndefined();
});
