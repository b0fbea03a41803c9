import type { Scenario } from './scenario.ts';

/** What a day's runs may take together, in seconds: all of `npm test` stays below five minutes. */
const BUDGET_S = 60;
/** At half the scale, on two cores that do nothing else. */
const USUAL_RUN_S = 9;
const START_OF_BED_S = 7;

type Rotating = Pick<Scenario, 'name' | 'bed' | 'seconds'>;

/**
 * The scenarios of a day. All are dealt, in their order, into as many bundles as the budget makes of them, and each day
 * takes the next one: in so many days each has its turn once.
 */
export function scenariosOf<T extends Rotating>(day: number, scenarios: readonly T[]): readonly T[] {
  const bundles = dealt(scenarios);
  return bundles[day % bundles.length] ?? [];
}

function dealt<T extends Rotating>(scenarios: readonly T[]): readonly (readonly T[])[] {
  const bundles: T[][] = [];
  let left = 0;
  for (const scenario of scenarios) {
    const before = bundles.at(-1)?.at(-1);
    const cost = costOf(scenario, before);
    if (before === undefined || cost > left) {
      bundles.push([scenario]);
      left = BUDGET_S - costOf(scenario, undefined);
    } else {
      bundles.at(-1)?.push(scenario);
      left -= cost;
    }
  }
  return bundles;
}

/** Seconds; neighbours that want the same bed share it. */
function costOf(scenario: Rotating, before: Rotating | undefined): number {
  const shared = before !== undefined && JSON.stringify(before.bed) === JSON.stringify(scenario.bed);
  return (scenario.seconds ?? USUAL_RUN_S) + (shared ? 0 : START_OF_BED_S);
}
