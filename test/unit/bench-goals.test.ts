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
