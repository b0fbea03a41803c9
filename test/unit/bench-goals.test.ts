import { expect, test } from 'vitest';
import { verdicts } from '../../bench/verdicts.ts';
import { outcomesOf } from '../support/bench-outcomes.ts';

const verdict = (outcomes: ReturnType<typeof outcomesOf>, goal: string) =>
  verdicts(outcomes).find((one) => one.goal === goal);

test('one round that reaches a goal does not make up for the others', () => {
  const goal = 'PUT `cached`, 64–256 clients: requests/s × (b)';
  const reached = (...values: number[]) => {
    const of = (id: 'b' | 'cached', all: readonly number[]) =>
      outcomesOf({ workload: 'put', clients: 64, id }, ...all.map((perSecond) => ({ perSecond })));
    return verdict([...of('b', [100, 100, 100]), ...of('cached', values)], goal)?.reached;
  };
  expect(reached(150, 200, 400)).toBe('yes');
  expect(reached(150, 199, 400)).toBe('no');
});

test('a goal that asks for little is missed by much, and says nothing where nothing was answered', () => {
  const goal = 'PUT `queued`, 1 client: p50 × that of a bare workflow start (w)';
  const reached = (own: { p50: number; measured?: number }) =>
    verdict(
      [
        ...outcomesOf({ workload: 'put', clients: 1, id: 'w' }, { p50: 10 }),
        ...outcomesOf({ workload: 'put', clients: 1, id: 'queued' }, own),
      ],
      goal,
    )?.reached;
  expect(reached({ p50: 12 })).toBe('yes');
  expect(reached({ p50: 13 })).toBe('no');
  expect(reached({ p50: 0, measured: 0 })).toBe('–');
});

test('a goal is judged by the median of the rounds, where it is furthest from being reached, and not at all where it was not measured', () => {
  const rounds = (clients: number, ratios: readonly number[]) => {
    const of = (id: 'a' | 'cached', all: readonly number[]) =>
      outcomesOf({ workload: 'put', clients, id }, ...all.map((perSecond) => ({ perSecond })));
    const base = ratios.map((_, round) => 1_000 * (round + 1));
    return [
      ...of('a', base),
      ...of(
        'cached',
        ratios.map((ratio, round) => ratio * (base[round] ?? 0)),
      ),
    ];
  };
  const judged = (outcomes: ReturnType<typeof outcomesOf>) => verdicts(outcomes)[0];
  const good = rounds(64, [0.9, 0.1, 0.8]);
  expect(judged(good)).toMatchObject({
    wanted: '≥ 0.7',
    reached: 'yes',
    measured: '0.80 (0.10–0.90), 64 clients',
  });
  expect(judged([...good, ...rounds(256, [0.6])])).toMatchObject({
    reached: 'no',
    measured: '0.60, 256 clients',
  });
  expect(judged(rounds(1, [0.9]))).toMatchObject({ reached: '–', measured: 'not in this run' });
});
