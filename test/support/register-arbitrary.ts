import fc from 'fast-check';
import type { Call, Operation, State, Value } from '../faults/history.ts';

interface Draft {
  readonly operation: 'read' | 'write' | 'delete';
  /** How far the call reaches before and after the instant at which it takes effect. */
  readonly before: number;
  readonly after: number;
  readonly outcome: 'ok' | 'cached' | 'unknown';
  /** Of an unknown one. */
  readonly happens: boolean;
  readonly conditional: boolean;
  readonly by: number;
}

/** What makes a history wrong, or leaves it right by luck. */
interface Slip {
  readonly at: number;
  readonly how: 'moved' | 'other-answer' | 'nothing' | 'unknown' | 'swapped' | 'condition' | 'one-more';
  readonly other: number;
  readonly by: number;
}

export interface RegisterCalls {
  readonly calls: readonly Call[];
  readonly row: State | null;
}

const reach = fc.integer({ min: 0, max: 25 });
const draft: fc.Arbitrary<Draft> = fc.record({
  operation: fc.constantFrom('read', 'read', 'write', 'write', 'delete'),
  before: reach,
  after: reach,
  outcome: fc.constantFrom('ok', 'ok', 'ok', 'cached', 'unknown', 'unknown'),
  happens: fc.boolean(),
  conditional: fc.boolean(),
  by: fc.integer({ min: 1, max: 3 }),
});
const slip: fc.Arbitrary<Slip> = fc.record({
  at: fc.nat(6),
  how: fc.constantFrom(
    'moved',
    'moved',
    'other-answer',
    'nothing',
    'unknown',
    'swapped',
    'condition',
    'one-more',
  ),
  other: fc.nat(6),
  by: fc.integer({ min: -40, max: 40 }),
});

/** Up to seven calls to one entry: those of a register, with up to two things changed afterwards. */
export function registerCalls(kind: 'document' | 'counter'): fc.Arbitrary<RegisterCalls> {
  return fc
    .tuple(
      fc.array(draft, { minLength: 1, maxLength: 7, size: 'max' }),
      fc.array(slip, { maxLength: 2 }),
      fc.option(fc.nat(6), { freq: 4 }),
    )
    .map(([drafts, slips, rowAfter]) => {
      const { calls, states } = perform(kind, drafts);
      const last = states.at(rowAfter === null ? -1 : rowAfter % states.length) ?? null;
      return { calls: slips.reduce(applySlip, calls), row: last };
    });
}

function perform(kind: 'document' | 'counter', drafts: readonly Draft[]) {
  let state = null as State | null;
  const calls: Call[] = [];
  const states: (State | null)[] = [];
  for (const [i, { before, after, outcome, happens, conditional, by, ...draft }] of drafts.entries()) {
    const operation: Operation =
      draft.operation === 'write'
        ? kind === 'counter'
          ? 'increment'
          : 'put'
        : kind === 'counter'
          ? 'read'
          : draft.operation;
    const exists = state?.value == null ? null : state;
    const call = {
      ...{ client: i, api: 0, collection: 'c', key: 'k', code: '', operation },
      ...{ start: 10 * i - before, end: 10 * i + after },
    } as const;
    if (operation === 'read') {
      const seen = exists === null ? {} : { version: exists.version };
      calls.push({ ...call, outcome: 'ok', value: exists?.value ?? null, ...seen });
    } else {
      const version = 2 * i + 2;
      const token = `t${i}`;
      const value: Value =
        operation === 'put' ? token : operation === 'delete' ? null : Number(exists?.value ?? 0) + by;
      const condition = exists === null ? { ifAbsent: true as const } : { ifVersion: exists.version };
      calls.push({
        ...call,
        ...(operation === 'put' ? { token } : {}),
        ...(operation === 'put' && conditional ? { condition } : {}),
        ...(operation === 'increment' ? { by } : {}),
        ...(outcome === 'unknown'
          ? { outcome }
          : { outcome: 'ok', version, level: outcome === 'ok' ? 'queued' : 'cached' }),
        ...(outcome !== 'unknown' && operation === 'increment' ? { value: Number(value) } : {}),
      });
      if (outcome !== 'unknown' || happens) state = { version, value };
    }
    states.push(state);
  }
  return { calls, states };
}

function applySlip(calls: Call[], { at, how, other, by }: Slip): Call[] {
  const call = calls[at % calls.length];
  const from = calls[other % calls.length];
  if (call === undefined || from === undefined) return calls;
  const changed = slipped(call, from, how, by);
  return calls.map((one) => {
    if (one === call) return changed;
    return how === 'swapped' && one === from ? slipped(from, call, how, by) : one;
  });
}

function slipped(call: Call, from: Call, how: Slip['how'], by: number): Call {
  const isRead = call.operation === 'read';
  const { version, value, level, ...rest } = call;
  switch (how) {
    case 'moved':
      return { ...call, start: call.start + by, end: call.end + by };
    case 'other-answer': {
      const answer = from.token ?? from.value ?? null;
      if (!isRead || answer === null || from.version === undefined) return call;
      return { ...call, version: from.version, value: answer };
    }
    case 'nothing':
      return isRead ? { ...rest, value: null } : call;
    case 'unknown':
      return isRead ? call : { ...rest, outcome: 'unknown' };
    case 'swapped':
      if (version === undefined || from.version === undefined) return call;
      return { ...call, version: from.version };
    case 'condition':
      if (call.operation !== 'put') return call;
      return {
        ...call,
        condition: from.version === undefined ? { ifAbsent: true } : { ifVersion: from.version },
      };
    case 'one-more':
      return typeof value === 'number' ? { ...call, value: value + 1 } : call;
  }
}
