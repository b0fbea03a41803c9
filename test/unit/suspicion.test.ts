import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Context } from '../../service/context.ts';
import { createSuspicion } from '../../service/suspicion.ts';

vi.mock('../../storage/postgres/written-around.ts', () => ({ writtenAroundUntil: () => noted() }));

/** What PostgreSQL answers: ms since 1970 until when copies may be older. */
let noted: () => Promise<number>;
let reconnectedAt: number;
let lostAt: number;
const environment = { CLOCK_TOLERANCE_MS: 500, POSTGRES_TIMEOUT_MS: 5_000 };
const suspicion = () =>
  createSuspicion({
    environment,
    db: {},
    redis: { reconnectedAt: () => reconnectedAt, lostAt: () => lostAt },
  } as unknown as Context);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance', 'Date'] });
  noted = async () => 0;
  reconnectedAt = Number.NEGATIVE_INFINITY;
  lostAt = performance.now();
});
afterEach(() => vi.useRealTimers());

test('a process that never lost Redis, and before which nobody wrote around it, suspects nothing', async () => {
  const one = suspicion();
  expect(one.active()).toBe(false);
  await one.learn();
  expect(one.active()).toBe(false);
});

test('after a lost connection copies are held against rows for seconds, where nobody wrote around Redis', async () => {
  const one = suspicion();
  reconnectedAt = performance.now();
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(one.active()).toBe(false);
});

test('and for as long as Redis may not have been told where somebody did, also just after', async () => {
  const one = suspicion();
  reconnectedAt = performance.now();
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(3_000);
  const until = (Date.now() + 60_000) * 1_000;
  noted = async () => until;
  await vi.advanceTimersByTimeAsync(50_000);
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(one.active()).toBe(false);
});

test('after a long outage, also where the last write around Redis was long ago: it could not be told before', async () => {
  const one = suspicion();
  const until = (Date.now() + 90_000) * 1_000;
  noted = async () => until;
  await vi.advanceTimersByTimeAsync(600_000);
  reconnectedAt = performance.now();
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(one.active()).toBe(false);
  // The next outage is another.
  lostAt = performance.now();
  await vi.advanceTimersByTimeAsync(1_000);
  reconnectedAt = performance.now();
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(7_000);
  expect(one.active()).toBe(false);
});

test('where PostgreSQL does not answer, the worst is assumed', async () => {
  const one = suspicion();
  noted = () => Promise.reject(new Error('away'));
  reconnectedAt = performance.now();
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(one.active()).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(one.active()).toBe(false);
});
