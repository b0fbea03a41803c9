import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTemporalWatch, type TemporalWatch } from '../../service/temporal-watch.ts';
import { TemporalUnreachable } from '../../storage/temporal/errors.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const watch = (TEMPORAL_TIMEOUT_MS = 5_000) =>
  createTemporalWatch({
    environment: { DIRECT_PERSIST_AFTER_MS: 2_000, TEMPORAL_TIMEOUT_MS },
    log: pino({ level: 'silent' }),
  });
const unreachable = () => Promise.reject(new TemporalUnreachable('away', undefined));

/** The deadlines of so many attempts that fail, each as soon as it may be made. */
async function deadlinesOf(temporal: TemporalWatch, attempts: number): Promise<number[]> {
  const deadlines: number[] = [];
  for (let n = 0; n < attempts; n++) {
    while (temporal.rests()) vi.advanceTimersByTime(100);
    await temporal
      .attempt((deadlineMs) => {
        deadlines.push(deadlineMs);
        return unreachable();
      })
      .catch(() => {});
  }
  return deadlines;
}

async function givenUp(timeoutMs?: number): Promise<TemporalWatch> {
  const temporal = watch(timeoutMs);
  expect(await deadlinesOf(temporal, 1)).toEqual([timeoutMs ?? 5_000]);
  vi.advanceTimersByTime(2_000);
  return temporal;
}

test('each probe that fails gives the next one twice the time, up to what every start may take; a success begins anew', async () => {
  const temporal = await givenUp();
  expect(await deadlinesOf(temporal, 6)).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  vi.advanceTimersByTime(1_000);
  expect(await temporal.attempt(async () => 'started')).toBe('started');
  expect(temporal.givenUp()).toBe(false);
  expect(await deadlinesOf(temporal, 1)).toEqual([5_000]);
  vi.advanceTimersByTime(2_000);
  expect(await deadlinesOf(temporal, 2)).toEqual([500, 1_000]);
});

test('no probe may take longer than every start', async () => {
  expect(await deadlinesOf(await givenUp(300), 2)).toEqual([300, 300]);
});

test('one batch at a time finds out whether Temporal is back: while it does, and for a second after, it rests', async () => {
  const temporal = await givenUp();
  let fail = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = () => reject(new TemporalUnreachable('away', undefined));
  });
  expect(temporal.rests()).toBe(false);
  const probe = temporal.attempt(() => failed).catch(() => {});
  vi.advanceTimersByTime(4_000);
  expect(temporal.rests()).toBe(true);
  fail();
  await probe;
  expect(temporal.rests()).toBe(true);
  vi.advanceTimersByTime(1_000);
  expect(temporal.rests()).toBe(false);
});

test('an attempt that hung while others succeeded makes nobody give up: Temporal is away only since it last answered', async () => {
  const temporal = watch();
  const hangs = temporal
    .attempt(async (deadlineMs) => {
      await new Promise((resolve) => setTimeout(resolve, deadlineMs));
      return await unreachable();
    })
    .catch(() => {});
  for (let n = 0; n < 49; n++) {
    await vi.advanceTimersByTimeAsync(100);
    await temporal.attempt(async () => 'started');
  }
  await vi.advanceTimersByTimeAsync(100);
  await hangs;
  expect(temporal.givenUp()).toBe(false);
  await vi.advanceTimersByTimeAsync(1_900);
  expect(temporal.givenUp()).toBe(true);
});

test('what Temporal refuses for what it is says nothing about whether it is away', async () => {
  const temporal = watch();
  await expect(temporal.attempt(() => Promise.reject(new Error('too large')))).rejects.toThrow('too large');
  vi.advanceTimersByTime(10_000);
  expect(temporal.givenUp()).toBe(false);
});
