import { describe, expect, test } from 'vitest';
import { check } from '../faults/checker.ts';
import type { Absence, Call, Decision, FinalEntry, MemoryLoss } from '../faults/history.ts';

/** What a call is about; the rest follows from its place in the history. */
type Step = Partial<Call> & Pick<Call, 'operation'>;

/** Calls one after the other, each from 10 i to 10 i + 5, unless they say otherwise. */
function calls(collection: string, steps: readonly Step[]): Call[] {
  return steps.map((step, i) => ({
    client: 0,
    api: 0,
    collection,
    key: 'k',
    start: 10 * i,
    end: 10 * i + 5,
    outcome: 'ok',
    code: '200',
    ...step,
  }));
}

function finalEntry(
  collection: string,
  state: FinalEntry['row'],
  more: Partial<FinalEntry> = {},
): FinalEntry {
  const read = state === null || state.value === null ? { api: 0, value: null } : { api: 0, ...state };
  return {
    collection,
    key: 'k',
    row: state,
    cached: null,
    pendingIn: null,
    reads: [read],
    deadLetters: [],
    ...more,
  };
}

/** The rules that a history of one document breaks. */
function broken(
  steps: readonly Step[],
  row: FinalEntry['row'],
  options: {
    losses?: readonly MemoryLoss[];
    absences?: readonly Absence[];
    decisions?: readonly Decision[];
    final?: Partial<FinalEntry>;
    collection?: string;
  } = {},
): readonly string[] {
  const { losses = [], absences = [], decisions = [], final = {}, collection = 'carts' } = options;
  const violations = check({
    calls: calls(collection, steps),
    losses,
    absences,
    decisions,
    final: [finalEntry(collection, row, final)],
  });
  return [...new Set(violations.map(({ rule }) => rule))];
}

const put = (version: number, more: Partial<Call> = {}): Step => ({
  operation: 'put',
  token: `t${version}`,
  version,
  level: 'queued',
  ...more,
});
const remove = (version: number, more: Partial<Call> = {}): Step => ({
  operation: 'delete',
  version,
  level: 'queued',
  ...more,
});
const read = (version: number, more: Partial<Call> = {}): Step => ({
  operation: 'read',
  version,
  value: `t${version}`,
  ...more,
});
const nothing: Step = { operation: 'read', value: null };
const add = (version: number, by: number, value: number, more: Partial<Call> = {}): Step => ({
  operation: 'increment',
  by,
  version,
  value,
  level: 'queued',
  ...more,
});
const unknown = { outcome: 'unknown', code: '503 outcome-unknown' } as const;
const without = ({ version: _, level: __, value: ___, ...rest }: Step): Step => rest;
const row = (version: number, value: string | number | null = `t${version}`) => ({ version, value });
const decision = (decided: Decision['decided'], version: number, at: number): Decision => ({
  collection: 'carts',
  key: 'k',
  decided,
  version,
  at,
});
/** A read of what a repeated increment made of 1 at first. */
const SEEN_OF_REPEATED: Step = { operation: 'read', version: 4, value: 4, start: 15, end: 20 };
const loss = (from: number, to = from + 1): MemoryLoss => ({ from, to });

describe('histories in which every promise holds', () => {
  test.each<[string, readonly string[]]>([
    ['nothing happened', broken([nothing], null)],
    [
      'writes, reads and a deletion in turn',
      broken([put(2), read(2), remove(4), nothing, put(6), read(6)], row(6)),
    ],
    [
      'the row may be of a later unknown write',
      broken([put(2), without({ ...put(4), ...unknown })], row(9, 't4')),
    ],
    [
      'an unknown write may never have happened',
      broken([put(2), without({ ...put(4), ...unknown })], row(2)),
    ],
    [
      'a deletion has no row any more, because it was pruned',
      broken([put(2), remove(4)], null, { final: { pruneFloor: 4 } }),
    ],
    [
      'Redis keeps the copy of a deletion that was pruned',
      broken([put(2), remove(4)], null, { final: { pruneFloor: 4, cached: row(4, null) } }),
    ],
    [
      'an unknown deletion was pruned',
      broken([put(2), without({ ...remove(4), ...unknown })], null, {
        final: { pruneFloor: 9, cached: row(5, null) },
      }),
    ],
    [
      'an unknown deletion may explain an absence',
      broken([put(2), without({ ...remove(4), ...unknown }), nothing], row(4, null)),
    ],
    [
      'calls at the same time have no order',
      broken([put(2), put(4, { start: 20, end: 50 }), read(2, { start: 30, end: 40 })], row(4)),
    ],
    [
      'a cached write and what was read of it may go with Redis',
      broken([put(2), put(4, { level: 'cached' }), read(4), read(2, { start: 40, end: 45 })], row(2), {
        losses: [loss(30)],
      }),
    ],
    [
      'what only Redis knew is hidden while it is away, and there again later',
      broken([put(2), put(4, { level: 'cached' }), read(2), read(4)], row(4), { absences: [loss(18, 26)] }),
    ],
    [
      'a conditional write over one that is going around Redis',
      broken([put(2), put(5, { end: 60 }), put(6, { condition: { ifVersion: 2 } })], row(6)),
    ],
    [
      'a creation over a deletion that Redis forgot later',
      broken(
        [
          put(2),
          remove(4, { level: 'cached' }),
          put(6, { condition: { ifAbsent: true }, start: 20, end: 60 }),
        ],
        row(6),
        { losses: [loss(40)] },
      ),
    ],
    [
      'a write that was set aside reverts',
      broken([put(2, { level: 'persisted' }), put(4), read(4), read(2)], row(2), {
        final: { deadLetters: [4] },
      }),
    ],
    [
      'a write that was discarded is read until then, and reverts',
      broken([put(2, { level: 'persisted' }), put(4), read(4), read(2)], row(2), {
        decisions: [decision('discarded', 4, 26)],
        final: { deadLetters: [4] },
      }),
    ],
    [
      'a write that was set aside is away until it is retried',
      broken([put(2, { level: 'persisted' }), put(4), read(4), read(2), read(4)], row(4), {
        decisions: [decision('retried', 4, 36)],
      }),
    ],
    [
      'a write that was retried may be older than its row',
      broken([put(2), put(4), read(4), put(6)], row(6), { decisions: [decision('retried', 4, 36)] }),
    ],
    [
      'a condition that named the last version',
      broken([put(2), put(4, { condition: { ifVersion: 2 } })], row(4)),
    ],
    [
      'a creation after a deletion',
      broken([put(2), remove(4), put(6, { condition: { ifAbsent: true } })], row(6)),
    ],
    [
      'a counter within its bounds',
      broken([add(2, 1, 1), without({ ...add(4, 5, 6), ...unknown }), add(6, 2, 8)], row(6, 8), {
        collection: 'page-views',
      }),
    ],
    [
      'a cached increment may go with Redis',
      broken(
        [add(2, 1, 1), add(4, 5, 6, { level: 'cached' }), add(6, 1, 2, { start: 50, end: 55 })],
        row(6, 2),
        {
          collection: 'page-views',
          losses: [loss(30)],
        },
      ),
    ],
    [
      'a repeated increment was executed, forgotten with Redis, and executed again',
      broken(
        [add(2, 1, 1), add(4, 2, 6, { level: 'cached' }), add(6, 3, 4, { start: 5, end: 60, sent: 2 })],
        row(6, 4),
        { collection: 'page-views', losses: [loss(30)] },
      ),
    ],
    [
      'a repeated increment was executed, seen, forgotten with Redis, and executed again',
      broken([add(2, 1, 1), SEEN_OF_REPEATED, add(6, 3, 4, { start: 5, end: 60, sent: 2 })], row(6, 4), {
        collection: 'page-views',
        losses: [loss(30)],
      }),
    ],
  ])('%s', (_, rules) => expect(rules).toEqual([]));
});

describe('histories that are wrong on purpose', () => {
  test.each<[string, string, readonly string[]]>([
    ['an acknowledged write is lost', 'lost', broken([put(2), put(4)], row(2))],
    ['the only write is lost', 'lost', broken([put(2)], null)],
    [
      'a cached write is lost though Redis forgot nothing',
      'lost',
      broken([put(2), put(4, { level: 'cached' })], row(2)),
    ],
    [
      'a cached write is lost that came after Redis forgot',
      'lost',
      broken([put(2), put(4, { level: 'cached' })], row(2), { losses: [loss(7)] }),
    ],
    ['a queued write is lost with Redis', 'lost', broken([put(2), put(4)], row(2), { losses: [loss(20)] })],
    ['what was read is lost', 'lost', broken([put(2), without({ ...put(4), ...unknown }), read(4)], row(2))],
    [
      'a persisted write is lost where a later one was set aside',
      'lost',
      broken([put(2, { level: 'persisted' }), put(4)], null, { final: { deadLetters: [4] } }),
    ],
    [
      'a discarded write is in the row',
      'set-aside-visible',
      broken([put(2), put(4)], row(4), {
        decisions: [decision('discarded', 4, 26)],
        final: { deadLetters: [4] },
      }),
    ],
    [
      'a discarded write is read later',
      'set-aside-visible',
      broken([put(2, { level: 'persisted' }), put(4), read(4)], row(2), {
        decisions: [decision('discarded', 4, 16)],
        final: { deadLetters: [4] },
      }),
    ],
    [
      'a discard is not on record',
      'decision-lost',
      broken([put(2), put(4)], row(2), { decisions: [decision('discarded', 4, 16)] }),
    ],
    [
      'a persisted write is lost where a later one was discarded',
      'lost',
      broken([put(2, { level: 'persisted' }), put(4)], null, {
        decisions: [decision('discarded', 4, 16)],
        final: { deadLetters: [4] },
      }),
    ],
    [
      'a write after the discard is lost',
      'lost',
      broken([put(2), put(4), put(6)], row(2), {
        decisions: [decision('discarded', 4, 16)],
        final: { deadLetters: [4] },
      }),
    ],
    [
      'a dead letter that was retried is not in the row',
      'lost',
      broken([put(2), put(4)], row(2), { decisions: [decision('retried', 4, 16)] }),
    ],
    [
      'a dead letter that was retried is still set aside',
      'decision-lost',
      broken([put(2), put(4)], row(4), {
        decisions: [decision('retried', 4, 16)],
        final: { deadLetters: [4] },
      }),
    ],
    ['a read goes back behind an acknowledgement', 'backwards', broken([put(2), put(4), read(2)], row(4))],
    [
      'a read goes back behind another read',
      'backwards',
      broken([put(2), without({ ...put(4), ...unknown }), read(4), read(2)], row(4)),
    ],
    ['a read finds nothing after an acknowledgement', 'backwards', broken([put(2), nothing], row(2))],
    [
      'a read goes back on the other process',
      'backwards',
      broken([put(2), put(4), read(2, { api: 1 })], row(4)),
    ],
    [
      'an older deletion hides a newer value',
      'backwards',
      broken([put(2), remove(4), put(6), nothing], row(6)),
    ],
    [
      'a read goes back after Redis forgot, behind a queued write',
      'backwards',
      broken([put(2), put(4), read(2)], row(4), { losses: [loss(16)] }),
    ],
    [
      'a read misses a queued write while Redis is away',
      'backwards',
      broken([put(2), put(4), read(2)], row(4), { absences: [loss(18, 26)] }),
    ],
    [
      'a read misses a cached write after Redis was away',
      'backwards',
      broken([put(2), put(4, { level: 'cached' }), read(2)], row(4), { absences: [loss(16, 18)] }),
    ],
    ['a version is given out below an older one', 'backwards', broken([put(4), put(2)], row(4))],
    [
      'one version for two writes',
      'same-version',
      broken([put(2), put(2, { token: 'other', start: 1, end: 6 })], row(2)),
    ],
    ['a value that nobody wrote', 'invented', broken([put(2), read(3, { value: 'who' })], row(2))],
    ['a value before it was written', 'invented', broken([read(2), put(2)], row(2))],
    [
      'a counter value that nobody made',
      'invented',
      broken([add(2, 1, 1), read(3, { value: 7 })], row(2, 1), { collection: 'page-views' }),
    ],
    ['a deletion that nobody asked for', 'invented', broken([put(2)], row(4, null))],
    [
      'a value of a write that failed',
      'failed-visible',
      broken([without({ ...put(2), outcome: 'failed', code: '503' }), read(2)], row(2)),
    ],
    [
      'a value at another version than its own',
      'wrong-value',
      broken([put(2), read(4, { value: 't2' })], row(2)),
    ],
    ['a deleted version that has a value', 'wrong-value', broken([put(2)], row(2, null))],
    [
      'one version with two values',
      'two-values',
      broken(
        [
          without({ ...put(2), ...unknown }),
          without({ ...put(4), ...unknown }),
          read(9, { value: 't2' }),
          read(9, { value: 't4' }),
        ],
        row(9, 't4'),
      ),
    ],
    [
      'an unknown write that happened twice',
      'twice',
      broken(
        [without({ ...put(2), ...unknown }), read(4, { value: 't2' }), read(6, { value: 't2' })],
        row(6, 't2'),
      ),
    ],
    [
      'two conditional writes over one version',
      'condition',
      broken(
        [put(2), put(4, { condition: { ifVersion: 2 } }), put(6, { condition: { ifVersion: 2 } })],
        row(6),
      ),
    ],
    [
      'a conditional write over a newer version',
      'condition',
      broken([put(2), put(4), put(6, { condition: { ifVersion: 2 } })], row(6)),
    ],
    [
      'a conditional write over one that had gone around Redis',
      'condition',
      broken([put(2), put(5), put(6, { condition: { ifVersion: 2 } })], row(6)),
    ],
    [
      'a creation of what exists',
      'condition',
      broken([put(2), put(4, { condition: { ifAbsent: true } })], row(4)),
    ],
    [
      'an increment is lost in the row',
      'counter',
      broken([add(2, 1, 1), add(4, 2, 3)], row(4, 1), { collection: 'page-views' }),
    ],
    [
      'an increment counts twice',
      'counter',
      broken([add(2, 1, 1), add(4, 2, 5)], row(4, 5), { collection: 'page-views' }),
    ],
    [
      'a repeated increment counts twice, and both times stay',
      'counter',
      broken([add(2, 1, 1), add(4, 3, 7, { sent: 2 })], row(4, 7), { collection: 'page-views' }),
    ],
    ...(
      [
        ['of an increment sent once is seen', { end: 60 }, [loss(30)]],
        ['of a repeated increment is seen though Redis forgot nothing', { end: 60, sent: 2 }, []],
        ['is seen, and what was repeated ended before Redis forgot', { end: 29, sent: 2 }, [loss(30)]],
      ] as const
    ).map(([what, call, losses]): [string, string, readonly string[]] => [
      `a second version ${what}`,
      'invented',
      broken([add(2, 1, 1), SEEN_OF_REPEATED, add(6, 3, 4, { start: 5, ...call })], row(6, 4), {
        collection: 'page-views',
        losses,
      }),
    ]),
    [
      'an increment starts from an older value',
      'counter',
      broken([add(2, 5, 5), add(4, 1, 1)], row(4, 1), { collection: 'page-views' }),
    ],
    [
      'a queued increment goes with Redis',
      'counter',
      broken([add(2, 5, 5), add(4, 1, 1)], row(4, 1), { collection: 'page-views', losses: [loss(7)] }),
    ],
    ['a deletion has no row, and was never pruned', 'lost', broken([remove(4)], null)],
    [
      'a deletion above the floor has no row',
      'lost',
      broken([put(2), remove(4)], null, { final: { pruneFloor: 3 } }),
    ],
    [
      'a write after the deletion went with the tombstone',
      'lost',
      broken([remove(2), put(4)], null, { final: { pruneFloor: 9 } }),
    ],
    [
      'a write has no row, and nobody deleted it',
      'lost',
      broken([put(2)], null, { final: { pruneFloor: 9 } }),
    ],
    [
      'a write above the floor has no row, whatever an unknown deletion did',
      'lost',
      broken([without({ ...remove(1), ...unknown }), put(8)], null, { final: { pruneFloor: 6 } }),
    ],
    [
      'Redis keeps a value whose deletion was pruned',
      'disagreement',
      broken([put(2), remove(4)], null, { final: { pruneFloor: 4, cached: row(2) } }),
    ],
    [
      'Redis keeps the copy of a deletion that has neither a row nor was pruned',
      'disagreement',
      broken([put(2), remove(4)], null, { final: { pruneFloor: 4, cached: row(6, null) } }),
    ],
    ['a deleted entry came back', 'lost', broken([put(2), remove(4)], row(2), { final: { pruneFloor: 4 } })],
    [
      'Redis keeps an old copy',
      'disagreement',
      broken([put(2), put(4)], row(4), { final: { cached: row(2) } }),
    ],
    [
      'Redis keeps another value',
      'disagreement',
      broken([put(2)], row(2), { final: { cached: row(2, 'who') } }),
    ],
    [
      'one process reads something else',
      'disagreement',
      broken([put(2)], row(2), { final: { reads: [{ api: 1, value: null }] } }),
    ],
    [
      'something is pending for ever',
      'not-drained',
      broken([put(2)], row(2), { final: { pendingIn: '1-x.p00.1' } }),
    ],
  ])('%s', (_, rule, rules) => expect(rules).toContain(rule));

  test('calls to an entry whose final state is missing cannot be judged', () => {
    expect(() =>
      check({ calls: calls('carts', [put(2)]), losses: [], absences: [], decisions: [], final: [] }),
    ).toThrow(/missing/);
  });
});

describe('one process alone is cut off from Redis', () => {
  const cutOff: readonly Absence[] = [{ from: 8, to: 60, api: 1 }];
  const around = put(5, { api: 1, level: 'persisted' });
  const after = (step: Step, ms: number): Step => ({ ...step, start: 25 + ms, end: 30 + ms });
  const judge = (steps: readonly Step[], last = 5, options = {}) =>
    broken(steps, row(last), { absences: cutOff, ...options });

  test.each<[string, readonly string[]]>([
    ['another one may miss what it wrote around Redis', judge([put(2), around, read(2)])],
    ['also after somebody has seen it', judge([put(2), around, read(5, { api: 1 }), read(2)])],
    [
      'also where the outcome was unknown',
      judge([put(2), without({ ...around, ...unknown }), read(5, { api: 1, value: 't5' }), read(2)]),
    ],
    [
      'a conditional write of another one may replace it',
      judge([put(2), around, put(6, { condition: { ifVersion: 2 } })], 6),
    ],
    [
      'it may itself miss what only Redis knows',
      judge([put(2), put(4, { level: 'cached' }), read(2, { api: 1 }), read(4)], 4),
    ],
  ])('%s', (_, rules) => {
    expect(rules).toEqual([]);
  });

  test.each<[string, string, readonly string[]]>([
    ['it misses its own write', 'backwards', judge([put(2), around, read(2, { api: 1 })])],
    [
      'another one misses a write that did not go around Redis',
      'backwards',
      judge([put(2), put(4, { api: 1, level: 'persisted' }), read(2)], 4),
    ],
    [
      'another one misses the write of a third',
      'backwards',
      judge([put(2), put(5, { api: 0, level: 'persisted' }), read(2)]),
    ],
    [
      'another one misses it long after the invalidation must have landed',
      'backwards',
      judge([put(2), around, after(read(2), 11_000)]),
    ],
    [
      'another one misses what was written around Redis before',
      'backwards',
      judge([put(2), around, read(2)], 5, { absences: [{ from: 16, to: 60, api: 1 }] }),
    ],
    [
      'another one misses what only Redis knows',
      'backwards',
      judge([put(2), put(4, { level: 'cached' }), read(2)], 4),
    ],
    [
      'a conditional write through the database replaces it',
      'condition',
      judge([put(2), around, put(6, { condition: { ifVersion: 2 } })], 6, { collection: 'orders' }),
    ],
    ['a write is given an older version', 'backwards', judge([put(2), around, put(4)])],
    ['it is lost', 'lost', judge([put(2), around], 2)],
  ])('%s', (_, rule, rules) => {
    expect(rules).toContain(rule);
  });
});

describe('several puts of one transaction', () => {
  /** `a` and `b` are put before; then both together, with that outcome; then `steps` of entry b; then the rows. */
  function torn(
    outcome: Call['outcome'],
    steps: readonly Step[],
    rows: { readonly a: string; readonly b: string | null },
  ): readonly string[] {
    const before = (key: string): Step => put(2, { key, token: `${key}0` });
    const known = outcome === 'ok' ? { version: 4 } : {};
    const both = (key: string): Step => {
      const times = { start: 20, end: 25 };
      return {
        operation: 'put',
        key,
        token: `${key}1`,
        together: 'T',
        outcome,
        level: 'persisted',
        ...known,
        ...times,
      };
    };
    const history = [
      before('a'),
      before('b'),
      both('a'),
      both('b'),
      ...steps.map((step): Step => ({ key: 'b', ...step })),
    ];
    const row = (key: string, value: string | null) => ({
      ...finalEntry('orders', { version: value?.endsWith('0') === true ? 2 : 4, value }),
      key,
    });
    const violations = check({
      calls: calls('orders', history),
      ...{ losses: [], absences: [], decisions: [] },
      final: [row('a', rows.a), row('b', rows.b)],
    });
    return violations.filter(({ rule }) => rule === 'half-a-transaction').map(({ message }) => message);
  }

  test('may have happened, all of them or none', () => {
    expect(torn('unknown', [], { a: 'a1', b: 'b1' })).toEqual([]);
    expect(torn('unknown', [], { a: 'a0', b: 'b0' })).toEqual([]);
    expect(torn('ok', [], { a: 'a1', b: 'b1' })).toEqual([]);
  });

  test('are not there by half at the end', () => {
    expect(torn('unknown', [], { a: 'a1', b: 'b0' })).toEqual([
      expect.stringContaining('the row at the end is b0'),
    ]);
    expect(torn('unknown', [], { a: 'a1', b: null })).toEqual([
      expect.stringContaining('the row at the end is nothing'),
    ]);
    expect(torn('unknown', [remove(6, { start: 60, end: 65 })], { a: 'a1', b: null })).toEqual([]);
  });

  test('are not seen by half: once one was read, the others are there', () => {
    const seesOne = read(4, { key: 'a', value: 'a1', start: 30, end: 35 });
    const seesOld = read(2, { value: 'b0', start: 40, end: 45 });
    const rows = { a: 'a1', b: 'b1' };
    expect(torn('unknown', [seesOne, seesOld], rows)).toEqual([expect.stringContaining('a read shows b0')]);
    expect(torn('unknown', [seesOne, { ...seesOld, start: 33 }], rows)).toEqual([]);
    expect(torn('unknown', [seesOld], rows)).toEqual([]);
  });
});
