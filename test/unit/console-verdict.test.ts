import { expect, test } from 'vitest';
import { oldestInWords } from '../../console/model/summary-words.ts';
import { verdictOf } from '../../console/model/verdict.ts';
import type { Summary } from '../../console/model/wire.ts';
import { FAKE_SUMMARY } from '../support/fake-operations.ts';

type Trouble = NonNullable<Summary['newestError']>;

const NO_BATCHES = { staged: 0, persisting: 0, retrying: 0, stuck: 0, releasing: 0, ended: 0, unknown: 0 };
const retrying = JSON.parse(JSON.stringify(FAKE_SUMMARY)) as Summary;
const calm: Summary = {
  ...retrying,
  allPersisted: true,
  pendingEntries: 0,
  batches: NO_BATCHES,
  oldestAgeSeconds: null,
  newestError: null,
  newestErrors: { retrying: null, stuck: null, releasing: null },
  unknown: [],
  deadLetters: { dead: 0, discarded: 4 },
};
const busy: Summary = { ...calm, allPersisted: false, pendingEntries: 1, oldestAgeSeconds: 0.25 };
const refused = { ...(retrying.newestError as Trouble), type: '42501', message: 'permission denied' };
/** The newer error is of another batch, which is in no need of anybody. */
const stuck: Summary = {
  ...retrying,
  batches: { ...NO_BATCHES, retrying: 1, stuck: 2 },
  newestErrors: { ...retrying.newestErrors, stuck: refused },
};
/** As after a restore of Temporal's database. */
const lostBatches: Summary = {
  ...busy,
  oldestAgeSeconds: 40,
  batches: { ...NO_BATCHES, unknown: 2 },
  notInTemporal: 2,
  unknown: [{ dependency: 'temporal', problem: 'It does not know 2 batches' }],
};
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
    'nobody says whether dead letters wait',
    { ...calm, deadLetters: null, unknown: [{ dependency: 'postgres', problem: 'gone' }] },
    'unknown',
    'Everything is persisted, but nobody can say whether dead letters wait.',
    'dead letters unknown',
  ],
  [
    'Temporal does not know batches',
    lostBatches,
    'bad',
    'Temporal does not know 2 batches that Redis gave it: their writes may be lost.',
    '2 not in Temporal',
  ],
  [
    'PostgreSQL takes nothing',
    retrying,
    'bad',
    'Writes are not reaching PostgreSQL: connect ECONNREFUSED 127.0.0.1:5432 (unreachable)',
    'waiting 12 s',
  ],
  [
    'batches are stuck, and another one met an error later',
    stuck,
    'bad',
    '2 batches are stuck: permission denied (42501)',
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

test('what is down now comes before what an attempt met earlier', () => {
  expect(verdictOf(retrying, live, down)).toMatchObject({
    sentence: 'Writes are not reaching PostgreSQL: workers: no worker asks for work',
    detail:
      '3 entries wait, the oldest for 12 s. Nothing is lost. The last attempt that failed: connect ECONNREFUSED 127.0.0.1:5432 (unreachable).',
  });
  const { message: problem } = retrying.newestError as Trouble;
  const postgres = { dependency: 'postgres', ok: false, problem, impact: '' } as const;
  expect(verdictOf(retrying, live, [postgres])).toMatchObject({
    sentence: `Writes are not reaching PostgreSQL: postgres: ${problem}`,
    detail: '3 entries wait, the oldest for 12 s. Nothing is lost.',
  });
  // Temporal is asked for the workers, so of them nothing is known.
  const temporal = { dependency: 'temporal', ok: false, problem: 'no connection', impact: '' } as const;
  expect(verdictOf(retrying, live, [temporal, ...down]).sentence).toBe(
    'Writes are not reaching PostgreSQL: temporal: no connection',
  );
  expect(verdictOf(stuck, live, down)).toMatchObject({
    sentence: '2 batches are stuck: permission denied (42501)',
    detail: expect.stringContaining('Down now: workers: no worker asks for work.'),
  });
});

test('an error of a release is no reason why writes do not reach PostgreSQL', () => {
  const late: Summary = {
    ...busy,
    oldestAgeSeconds: 15,
    newestError: retrying.newestError,
    newestErrors: { ...calm.newestErrors, releasing: retrying.newestError },
  };
  expect(verdictOf(late, live, []).sentence).toBe('Writes are not reaching PostgreSQL');
});

test('nobody is told that nothing is lost while Temporal does not know batches, but what can be saved', () => {
  const fresh = { ...lostBatches, oldestAgeSeconds: 1 };
  const discardedSince = { ...lostBatches, allPersisted: null, pendingEntries: 0, oldestAgeSeconds: 1 };
  const alsoStuck = { ...stuck, notInTemporal: 1 };
  for (const summary of [lostBatches, fresh, discardedSince, alsoStuck]) {
    const { level, sentence, detail } = verdictOf(summary, live, down);
    expect([level, sentence]).toEqual([
      'bad',
      expect.stringMatching(/^Temporal does not know .* may be lost/),
    ]);
    expect(detail).not.toMatch(/nothing is lost/i);
    expect(detail).toMatch(/TEMPORAL_NAMESPACE.*read those entries and write them again/);
  }
  expect(verdictOf(alsoStuck, live, []).detail).toContain('2 batches are stuck: permission denied (42501).');
});

test.each([
  ['PostgreSQL', {}, ['postgres'], /Nothing is lost\./],
  [
    'Redis',
    { pendingEntries: null },
    ['redis', 'postgres'],
    /What Temporal has is safe; whether that is all that was queued, and what Redis alone held, is not known\./,
  ],
  ['Redis, in one partition', {}, ['redis'], /What Temporal has is safe/],
  ['Temporal', {}, ['temporal'], /Whether Temporal has what it was given is not known\./],
  ['either', { pendingEntries: null }, ['redis', 'temporal'], /Whether Redis and Temporal have what/],
] as const)(
  'that nothing is lost is said where it is known: without an answer of %s',
  (_, about, from, says) => {
    const unknown = from.map((dependency) => ({ dependency, problem: 'no answer' }));
    for (const summary of [retrying, stuck]) {
      const { level, detail } = verdictOf({ ...summary, ...about, unknown }, live, []);
      expect([level, detail]).toEqual(['bad', expect.stringMatching(says)]);
      expect(/nothing is lost/i.test(detail)).toBe(from[0] === 'postgres');
    }
  },
);

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
  for (const summary of [busy, retrying, stuck, lostBatches]) {
    const later = { ...summary, oldestAgeSeconds: 13.7, pendingEntries: 99 };
    expect(verdictOf(later, live, []).spoken).toBe(verdictOf(summary, live, []).spoken);
  }
});

test('what nobody could say is no figure', () => {
  const redisIsAway = { ...retrying, pendingEntries: null, oldestAgeSeconds: null };
  const alsoStuck = { ...redisIsAway, batches: { ...NO_BATCHES, stuck: 1 } };
  for (const summary of [redisIsAway, alsoStuck]) {
    expect(verdictOf(summary, live, []).detail).toMatch(/^Nobody knows how many entries wait\./);
  }
  expect(oldestInWords(redisIsAway)).toBe('unknown');
  expect(oldestInWords({ ...redisIsAway, oldestAgeSeconds: 3 })).toBe('3 s');
  expect(oldestInWords(calm)).toBe('none');
});
