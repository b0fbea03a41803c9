import { expect, test } from 'vitest';
import { oldestInWords, verdictOf } from '../../console/model/verdict.ts';
import type { Summary } from '../../console/model/wire.ts';
import { FAKE_SUMMARY } from '../support/fake-operations.ts';

const NO_BATCHES = { staged: 0, persisting: 0, retrying: 0, stuck: 0, releasing: 0, ended: 0, unknown: 0 };
const retrying = JSON.parse(JSON.stringify(FAKE_SUMMARY)) as Summary;
const calm: Summary = {
  ...retrying,
  allPersisted: true,
  pendingEntries: 0,
  batches: NO_BATCHES,
  oldestAgeSeconds: null,
  newestError: null,
  unknown: [],
  deadLetters: { dead: 0, discarded: 4 },
};
const busy: Summary = { ...calm, allPersisted: false, pendingEntries: 1, oldestAgeSeconds: 0.25 };
const live = { state: 'live' } as const;
const lost = { state: 'lost', why: 'No connection to the API.' } as const;
const down = [{ dependency: 'workers', ok: false, problem: 'no worker asks for work', impact: '' }] as const;

test.each([
  ['nothing waits', calm, 'good', 'Everything is persisted.', 'all persisted'],
  ['writes are on their way', busy, 'busy', 'Writes are on their way.', 'on their way'],
  [
    'a dead letter waits',
    { ...calm, deadLetters: { dead: 1, discarded: 0 } },
    'warn',
    'Everything is persisted, but 1 dead letter waits for a decision.',
    '1 dead letter',
  ],
  [
    'PostgreSQL takes nothing',
    retrying,
    'bad',
    'Writes are not reaching PostgreSQL: connect ECONNREFUSED 127.0.0.1:5432 (unreachable)',
    'waiting 12 s',
  ],
  [
    'batches are stuck',
    { ...retrying, batches: { ...NO_BATCHES, stuck: 2 } },
    'bad',
    '2 batches are stuck: connect ECONNREFUSED 127.0.0.1:5432 (unreachable)',
    '2 stuck',
  ],
  [
    'Redis does not say',
    {
      ...calm,
      allPersisted: null,
      pendingEntries: null,
      unknown: [{ dependency: 'redis', problem: 'gone' }],
    },
    'unknown',
    'Nobody can say whether everything is persisted.',
    'unknown',
  ],
] as const)('%s', (_, summary, level, sentence, title) => {
  expect(verdictOf(summary as Summary, live, [])).toMatchObject({ level, sentence, title });
});

test('writes that wait for long without a failed attempt are blamed on what is down', () => {
  const late = { ...busy, oldestAgeSeconds: 15 };
  expect(verdictOf(late, live, down)).toMatchObject({
    level: 'bad',
    sentence: 'Writes are not reaching PostgreSQL: workers: no worker asks for work',
    detail: '1 entry waits, the oldest for 15 s. Nothing is lost.',
  });
});

test('without an answer from the API nothing is claimed, whatever was known before', () => {
  expect(verdictOf(calm, lost, [])).toMatchObject({
    level: 'unknown',
    title: 'no answer',
    detail: 'When it last answered: Everything is persisted.',
  });
  expect(verdictOf(undefined, lost, [])).toMatchObject({ sentence: 'The API does not answer.' });
  expect(verdictOf(undefined, { state: 'connecting' }, [])).toMatchObject({ title: 'loading' });
});

test('what is read aloud does not change with the seconds', () => {
  for (const summary of [busy, retrying, { ...retrying, batches: { ...NO_BATCHES, stuck: 2 } }]) {
    const later = { ...summary, oldestAgeSeconds: 13.7, pendingEntries: 99 };
    expect(verdictOf(later, live, []).spoken).toBe(verdictOf(summary, live, []).spoken);
  }
});

test('what nobody could say is no figure', () => {
  const redisIsAway = { ...retrying, pendingEntries: null, oldestAgeSeconds: null };
  const stuck = { ...redisIsAway, batches: { ...NO_BATCHES, stuck: 1 } };
  for (const summary of [redisIsAway, stuck]) {
    expect(verdictOf(summary, live, []).detail).toMatch(/^Nobody knows how many entries wait\./);
  }
  expect(oldestInWords(redisIsAway)).toBe('unknown');
  expect(oldestInWords({ ...redisIsAway, oldestAgeSeconds: 3 })).toBe('3 s');
  expect(oldestInWords(calm)).toBe('none');
});
