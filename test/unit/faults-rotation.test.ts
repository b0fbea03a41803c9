import { expect, test } from 'vitest';
import { scenariosOf } from '../faults/rotation.ts';
import { SCENARIOS } from '../faults/scenarios/all.ts';

const days = (from: number, count: number, scenarios = SCENARIOS) =>
  Array.from({ length: count }, (_, i) => scenariosOf(from + i, scenarios).map(({ name }) => name));

test('every scenario has its turn, and as often as any other', () => {
  const rotation = days(0, SCENARIOS.length);
  const length = rotation.findIndex((names, day) => day > 0 && names[0] === SCENARIOS[0]?.name);
  for (const from of [0, 20_780]) {
    const turn = days(from, length).flat();
    expect(turn.toSorted()).toEqual(SCENARIOS.map(({ name }) => name).toSorted());
  }
});

test('the same scenarios all day long', () => {
  expect(scenariosOf(20_780, SCENARIOS)).toEqual(scenariosOf(20_780, SCENARIOS));
});

test('a day takes fewer of those that take longer', () => {
  const bed = { redis: 'always' } as const;
  const some = Array.from({ length: 40 }, (_, i) => ({ name: `s${i}`, bed }));
  const usual = scenariosOf(0, some);
  const long = scenariosOf(
    0,
    some.map((scenario) => ({ ...scenario, seconds: 25 })),
  );
  expect(usual.length).toBeGreaterThan(long.length);
  expect(long).toHaveLength(2);
});

test('one that is beyond the budget alone has a day of its own', () => {
  const bed = { redis: 'always' } as const;
  const some = [
    { name: 'short', bed },
    { name: 'long', bed, seconds: 300 },
    { name: 'other', bed },
  ];
  expect([0, 1, 2].map((day) => scenariosOf(day, some).map(({ name }) => name))).toEqual([
    ['short'],
    ['long'],
    ['other'],
  ]);
});
