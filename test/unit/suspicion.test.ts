import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Context } from '../../service/context.ts';
import { createSuspicion, type Suspicion } from '../../service/suspicion.ts';

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

/** Redis is back, and copies are suspected at once. */
function reconnected(one: Suspicion): void {
  reconnectedAt = performance.now();
  expect(one.active()).toBe(true);
}

/** Whether copies are suspected after so many seconds more. */
async function after(seconds: number, one: Suspicion): Promise<boolean> {
  await vi.advanceTimersByTimeAsync(1_000 * seconds);
  return one.active();
}

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
  reconnected(one);
  expect(await after(4, one)).toBe(true);
  expect(await after(3, one)).toBe(false);
});

test('and for as long as Redis may not have been told where somebody did, also just after', async () => {
  const one = suspicion();
  reconnected(one);
  await vi.advanceTimersByTimeAsync(3_000);
  const until = (Date.now() + 60_000) * 1_000;
  noted = async () => until;
  expect(await after(50, one)).toBe(true);
  expect(await after(40, one)).toBe(false);
});

test('after a long outage, also where the last write around Redis was long ago: it could not be told before', async () => {
  const one = suspicion();
  const until = (Date.now() + 90_000) * 1_000;
  noted = async () => until;
  await vi.advanceTimersByTimeAsync(600_000);
  reconnected(one);
  expect(await after(60, one)).toBe(true);
  expect(await after(60, one)).toBe(false);
  // The next outage is another.
  lostAt = performance.now();
  await vi.advanceTimersByTimeAsync(1_000);
  reconnected(one);
  expect(await after(7, one)).toBe(false);
});

/** The connection breaks again, a second after Redis answered last. */
async function breakAgain(one: Suspicion): Promise<void> {
  lostAt = performance.now();
  await vi.advanceTimersByTimeAsync(1_000);
  reconnected(one);
}

test('a connection that breaks again after an outage takes nothing back of what is suspected for the outage', async () => {
  const one = suspicion();
  const until = (Date.now() + 90_000) * 1_000;
  noted = async () => until;
  await vi.advanceTimersByTimeAsync(600_000);
  reconnected(one);
  for (let i = 0; i < 3; i++) await breakAgain(one);
  expect(await after(70, one)).toBe(true);
  // Nor does each break make it longer.
  expect(await after(20, one)).toBe(false);
});

test('also where PostgreSQL answers only after the second one', async () => {
  const one = suspicion();
  const until = (Date.now() + 90_000) * 1_000;
  await vi.advanceTimersByTimeAsync(600_000);
  noted = () => Promise.reject(new Error('away'));
  reconnected(one);
  await breakAgain(one);
  noted = async () => until;
  expect(await after(60, one)).toBe(true);
  expect(await after(30, one)).toBe(false);
});

test('where nobody wrote around Redis, breaks one after the other are held for seconds each', async () => {
  const one = suspicion();
  noted = () => Promise.reject(new Error('away'));
  reconnected(one);
  await breakAgain(one);
  noted = async () => 0;
  await breakAgain(one);
  expect(await after(4, one)).toBe(true);
  expect(await after(3, one)).toBe(false);
});

test('where PostgreSQL does not answer, the worst is assumed', async () => {
  const one = suspicion();
  noted = () => Promise.reject(new Error('away'));
  reconnected(one);
  expect(await after(60, one)).toBe(true);
  expect(await after(60, one)).toBe(false);
});
