import { expect, test } from 'vitest';
import { bytes, clock, count, counted, duration, rate, until } from '../../console/model/format.ts';
import { HISTORY_S, remember, type Sample } from '../../console/model/history.ts';
import type { Summary } from '../../console/model/wire.ts';
import { FAKE_SUMMARY } from '../support/fake-operations.ts';

test('figures are written for people', () => {
  const ages = [null, 0, 0.26, 12.9, 60, 185, 3_600, 7_800, 90_000].map(duration);
  expect(ages).toEqual([
    'unknown',
    '0 s',
    '0.2 s',
    '12 s',
    '1 min',
    '3 min 5 s',
    '1 h',
    '2 h 10 min',
    '1 d 1 h',
  ]);
  expect([null, 1_234].map(count)).toEqual(['unknown', '1,234']);
  expect([1, 2].map((n) => counted(n, 'batch', 'batches'))).toEqual(['1 batch', '2 batches']);
  expect([null, 0, 0.44, 12.4].map(rate)).toEqual(['unknown', '0', '0.4', '12']);
  expect([null, 120, 4_300, 5_000_000].map(bytes)).toEqual(['unknown', '120 B', '4.2 KiB', '4.8 MiB']);
  const now = new Date(2026, 10, 26, 3, 12, 44);
  expect(clock(now, now)).toBe('03:12:44');
  expect(clock(new Date(2026, 10, 25, 23, 1, 2), now)).toBe('2026-11-25 23:01:02');
  expect(until(null, 0)).toBe('now');
  expect(until(new Date(11_500).toISOString(), 0)).toBe('in 12 s');
});

const base = JSON.parse(JSON.stringify(FAKE_SUMMARY)) as Summary;
type Seen = Pick<Summary, 'pendingEntries' | 'stagedEntries' | 'rowsWritten'>;

/** What is remembered of summaries that come each second. */
function history(seen: readonly Partial<Seen>[]): readonly Sample[] {
  return seen.reduce<readonly Sample[]>(
    (samples, one, i) => remember(samples, { ...base, ...one, at: new Date(i * 1_000).toISOString() }),
    [],
  );
}

test('what goes into a state stays there or goes on: so the throughput of each is known', () => {
  const seen = Array.from({ length: 21 }, (_, i) => ({
    pendingEntries: 30 * i,
    stagedEntries: 10 * i,
    rowsWritten: 1_000 + 50 * i,
  }));
  expect(history(seen).at(-1)?.rates).toEqual({ accepted: 80, queued: 70, persisted: 50 });
});

test('while PostgreSQL does not say how much it wrote, it wrote nothing', () => {
  const before = { pendingEntries: 0, stagedEntries: 0, rowsWritten: 500 };
  const during = Array.from({ length: 11 }, (_, i) => ({
    pendingEntries: 20 * i,
    stagedEntries: 0,
    rowsWritten: null,
  }));
  expect(history([before, ...during]).at(-1)?.rates).toEqual({ accepted: 20, queued: 20, persisted: 0 });
});

test('after PostgreSQL began to count again, the throughput is not known for a while', () => {
  const seen = [{ rowsWritten: 500 }, { rowsWritten: 3 }];
  expect(history(seen).at(-1)?.rates).toEqual({ accepted: null, queued: null, persisted: null });
});

test('the first summary tells no throughput, one that was seen already changes nothing, old ones are forgotten', () => {
  const [first, ...more] = history([{ pendingEntries: 1, rowsWritten: 1 }]);
  expect([first?.rates.persisted, more]).toEqual([null, []]);
  const samples = history([{}, {}]);
  expect(remember(samples, { ...base, at: new Date(1_000).toISOString() })).toBe(samples);
  expect(history(Array.from({ length: HISTORY_S + 50 }, () => ({}))).length).toBe(HISTORY_S);
});
