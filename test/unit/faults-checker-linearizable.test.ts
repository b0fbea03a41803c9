import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstFlaw } from '../faults/check-linearizable.ts';
import { check } from '../faults/checker.ts';
import type { Call, History, State, Value } from '../faults/history.ts';
import { searchLinearization } from '../support/linear-search.ts';
import { registerCalls } from '../support/register-arbitrary.ts';

/** What a call is about; the rest follows from its place in the history. */
type Step = Partial<Call> & Pick<Call, 'operation'>;

/** Calls one after the other, each from 10 i to 10 i + 5, unless they say otherwise. */
function calls(steps: readonly Step[]): Call[] {
  return steps.map((step, i) => ({
    ...{ client: 0, api: 0, collection: 'sessions', key: 'k' },
    ...{ start: 10 * i, end: 10 * i + 5, outcome: 'ok', code: '200', ...step },
  }));
}

const put = (version: number, more: Partial<Call> = {}): Step => ({
  ...{ operation: 'put', token: `t${version}`, version, level: 'queued' },
  ...more,
});
const remove = (version: number, more: Partial<Call> = {}): Step => ({
  ...{ operation: 'delete', version, level: 'queued' },
  ...more,
});
const add = (version: number, by: number, value: number, more: Partial<Call> = {}): Step => ({
  ...{ operation: 'increment', by, version, value, level: 'queued' },
  ...more,
});
const read = (version: number, value: Value = `t${version}`, more: Partial<Call> = {}): Step => ({
  ...{ operation: 'read', version, value },
  ...more,
});
const nothing: Step = { operation: 'read', value: null };
const row = (version: number, value: Value = `t${version}`): State => ({ version, value });
/** There was no answer. */
function unknown({ version: _, level: __, value: ___, ...step }: Step): Step {
  return { ...step, outcome: 'unknown', code: '503 outcome-unknown' };
}
const cached = (step: Step): Step => ({ ...step, level: 'cached' });
const at = (start: number, end: number, step: Step): Step => ({ ...step, start, end });

const linearizable: readonly [string, readonly Step[], State | null][] = [
  ['nothing happened', [nothing], null],
  ['each sees the last', [put(2), read(2), remove(4), nothing, put(6), read(6)], row(6)],
  [
    'reads at the same time as a write see either state',
    [put(2), at(10, 40, put(4)), read(4), read(4)],
    row(4),
  ],
  ['an unknown write is seen late', [put(2), unknown(put(4)), read(2), read(5, 't4')], row(5, 't4')],
  ['an unknown write never happened', [put(2), unknown(put(4)), read(2)], row(2)],
  ['a cached write is lost', [put(2), cached(put(4)), read(2)], row(2)],
  ['a cached write lasts', [put(2), cached(put(4)), put(6, { condition: { ifVersion: 4 } })], row(6)],
  ['an unknown deletion explains two absences', [put(2), unknown(remove(4)), nothing, nothing], null],
  [
    'an unknown deletion lies between a write and a creation',
    [put(2), unknown(remove(4)), put(6, { condition: { ifAbsent: true } }), read(6)],
    row(6),
  ],
  [
    'one unknown deletion now, another later',
    [unknown(remove(1)), unknown(remove(1)), put(2), nothing, put(4), nothing],
    null,
  ],
  ['a read that found nothing at the same time as the first write', [put(2), at(0, 9, nothing)], row(2)],
  [
    'an unknown increment is part of a later sum',
    [add(2, 1, 1), unknown(add(4, 5, 6)), add(6, 2, 8)],
    row(6, 8),
  ],
  [
    'unknown increments are told apart by what they add',
    [unknown(add(2, 2, 2)), unknown(add(2, 3, 3)), add(4, 1, 4), read(5, 6)],
    row(5, 6),
  ],
];

const wrong: readonly [string, readonly Step[], State | null][] = [
  ['a read goes back behind an acknowledged write', [put(2), put(4), read(2)], row(4)],
  ['a read goes back behind another read', [put(2), unknown(put(4)), read(5, 't4'), read(2)], row(5, 't4')],
  ['a read of a write that started after it', [at(0, 5, read(2)), put(2)], row(2)],
  ['a write is given an older version', [put(4), put(2)], row(4)],
  ['two writes with one version', [put(2), at(0, 5, put(2, { token: 'other' }))], row(2)],
  ['what was read is lost', [put(2), unknown(put(4)), read(5, 't4')], row(2)],
  ['an acknowledged write is lost', [put(2), put(4)], row(2)],
  ['an acknowledged deletion is lost', [put(2), remove(4)], row(2)],
  ['the value of another version', [put(2), put(4), read(4, 't2')], row(4)],
  ['an unknown write that happened twice', [unknown(put(2)), read(3, 't2'), read(5, 't2')], row(5, 't2')],
  ['a value that nobody wrote', [put(2), read(3, 'who')], row(3, 'who')],
  [
    'two writes over one version',
    [put(2), put(4, { condition: { ifVersion: 2 } }), put(6, { condition: { ifVersion: 2 } })],
    row(6),
  ],
  [
    'a condition held on what was deleted',
    [put(2), remove(4), put(6, { condition: { ifVersion: 4 } })],
    row(6),
  ],
  ['a creation of what exists', [put(2), put(4, { condition: { ifAbsent: true } })], row(4)],
  ['nothing was found after a write', [put(2), nothing], row(2)],
  ['nothing was found before an unknown deletion was asked for', [put(2), nothing, unknown(remove(4))], null],
  [
    'one unknown deletion cannot happen twice',
    [unknown(remove(1)), put(2), nothing, put(4), nothing, put(6)],
    row(6),
  ],
  ['something comes back after nothing was found', [put(2), unknown(remove(4)), nothing, read(2)], row(2)],
  [
    'a deletion that is too late for the creation before it',
    [put(2), put(4, { condition: { ifAbsent: true } }), unknown(remove(5)), nothing],
    null,
  ],
  ['an increment is lost', [add(2, 1, 1), add(4, 2, 2)], row(4, 2)],
  ['an increment counts twice', [add(2, 1, 1), add(4, 2, 5)], row(4, 5)],
  ['an unknown increment counts twice', [unknown(add(2, 2, 2)), add(4, 1, 3), add(6, 1, 6)], row(6, 6)],
  [
    'an increment counts before it was asked for',
    [add(2, 1, 1), add(4, 1, 4), unknown(add(6, 2, 3))],
    row(4, 4),
  ],
  ['no unknown increments have that sum', [unknown(add(2, 3, 3)), add(4, 1, 2)], row(4, 2)],
  [
    'the same increment for two sums',
    [unknown(add(2, 2, 2)), unknown(add(2, 3, 3)), add(4, 1, 3), add(6, 1, 6)],
    row(6, 6),
  ],
  ['a counter that is read at a version nobody made', [add(2, 1, 1), read(3, 1)], row(3, 1)],
  ['the row is short of an increment', [add(2, 1, 1), add(4, 1, 2)], row(4, 1)],
];

describe('one entry as a versioned register', () => {
  test.each(linearizable)('%s', (_, steps, last) => {
    expect(searchLinearization(calls(steps), last)).toBe(true);
    expect(firstFlaw(calls(steps), last)).toBeUndefined();
  });

  test.each(wrong)('not linearizable: %s', (_, steps, last) => {
    expect(searchLinearization(calls(steps), last)).toBe(false);
    expect(firstFlaw(calls(steps), last)).toBeDefined();
  });
});

test.each(['document', 'counter'] as const)(
  'the judgement on a %s is that of a search over every sequence',
  (kind) => {
    const verdicts = { true: 0, false: 0 };
    fc.assert(
      fc.property(registerCalls(kind), ({ calls, row: last }) => {
        const found = searchLinearization(calls, last);
        verdicts[`${found}`]++;
        expect(firstFlaw(calls, last) === undefined).toBe(found);
      }),
      { numRuns: 3_000 },
    );
    expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(300);
  },
);

describe('collections whose reads are durable', () => {
  const history = (
    durable: readonly string[],
    deadLetters: readonly number[] = [],
    decisions: History['decisions'] = [],
  ) => ({
    durable,
    calls: calls([put(2), cached(put(4)), read(4), read(2)]),
    losses: [{ from: 25, to: 28 }],
    absences: [],
    decisions,
    final: [
      {
        ...{ collection: 'sessions', key: 'k', row: row(2), cached: null, pendingIn: null, deadLetters },
        reads: [{ api: 0, ...row(2) }],
      },
    ],
  });
  const rules = (...of: Parameters<typeof history>) => check(history(...of)).map(({ rule }) => rule);

  test('show nothing that Redis can still lose', () => {
    expect(rules(['sessions'])).toEqual(['not-linearizable']);
  });
  test('are named; in others what was only cached may go with Redis', () => {
    expect(rules([])).toEqual([]);
  });
  test('let a write revert that was set aside', () => {
    expect(rules(['sessions'], [4])).toEqual([]);
    const retried = {
      ...{ collection: 'sessions', key: 'k', version: 2, at: 33 },
      decided: 'retried' as const,
    };
    expect(rules(['sessions'], [], [retried])).toEqual([]);
  });
});
