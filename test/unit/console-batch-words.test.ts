import { expect, test } from 'vitest';
import { attemptsInWords, whyInWords } from '../../console/model/batch-words.ts';
import type { Batch } from '../../console/model/wire.ts';
import { FAKE_BATCH } from '../support/fake-operations.ts';

const NOW = 1_790_000_010_000;
const known = JSON.parse(JSON.stringify(FAKE_BATCH)) as Batch;
/** Without a failed attempt. */
const untold: Batch = { ...known, attempts: 0, lastError: null, nextAttemptAt: null };

test.each([
  ['persisting', {}, '0 tried, next now', /does a worker run/],
  ['retrying', { attempts: 1 }, '1 tried, next now', /does a worker run/],
  ['retrying', { attempts: 1, paused: true }, '1 tried, none before it is unpaused', /paused.*unpaused/],
  ['stuck', {}, 'next within an hour', /failed by hand.*a retry/],
  ['stuck', { attempts: 1 }, '1 tried, next now', /does a worker run/],
  ['releasing', { attempts: 1 }, '1 tried, next now', /is in PostgreSQL/],
  ['ended', {}, 'queued again by itself', /ended by hand. Nothing is lost/],
  ['unknown', {}, 'not known to be tried', /Temporal does not know it.*write them again/],
  ['staged', {}, 'offered to Temporal again by itself', /is in Redis/],
] as const)('a batch that is %s, %o, says what comes next and why', (state, more, attempts, why) => {
  const batch = { ...untold, ...more, state };
  expect(attemptsInWords(batch, NOW)).toBe(attempts);
  expect(whyInWords(batch)).toMatch(why);
  if (!why.test('does a worker run')) expect(whyInWords(batch)).not.toContain('worker');
});

test('the time of the next attempt is told', () => {
  expect(attemptsInWords(known, NOW)).toBe('4 tried, next in 8 s');
  expect(attemptsInWords({ ...known, paused: true }, NOW)).toBe('4 tried, none before it is unpaused');
});
