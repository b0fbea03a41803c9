import { withRange } from './format.ts';
import { GOALS, type Goal } from './goals.ts';
import type { ContenderId } from './names.ts';
import { type Outcome, series, summedUp } from './outcome.ts';
import { SMALL } from './scenarios.ts';
import { ratios, type Spread } from './statistics.ts';

export interface Verdict {
  readonly goal: string;
  readonly wanted: string;
  readonly measured: string;
  readonly reached: 'yes' | 'no' | '–';
}

/** What became of each goal, by the median of the rounds. */
export function verdicts(outcomes: readonly Outcome[]): Verdict[] {
  return GOALS.map((goal) => {
    const { text, atLeast, atMost } = goal;
    const found = worst(goal, outcomes);
    const wanted = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast.toLocaleString('en-US')}`;
    if (found === undefined) return { goal: text, wanted, measured: 'not in this run', reached: '–' };
    const { median } = found.values;
    const reached = atLeast === undefined ? median <= (atMost ?? 0) : median >= atLeast;
    const clients = `${found.clients.toLocaleString('en-US')} client${found.clients === 1 ? '' : 's'}`;
    return {
      goal: text,
      wanted,
      measured: `${withRange(found.values)}, ${clients}`,
      reached: reached ? 'yes' : 'no',
    };
  });
}

/** The figure at that number of clients at which it is furthest from the goal. */
function worst(goal: Goal, outcomes: readonly Outcome[]) {
  const { workload, clients, system, figure, against } = goal;
  const here = outcomes.filter(
    (one) =>
      one.workload === workload &&
      one.bytes === SMALL &&
      one.clients >= clients[0] &&
      one.clients <= clients[1],
  );
  const counts = [...new Set(here.map((one) => one.clients))];
  const found = counts.flatMap((count) => {
    const of = (id: ContenderId) => {
      const own = here.filter((one) => one.id === id && one.clients === count);
      // Where several Holdfasts ran, with other settings, the first one counts.
      return series(
        own.filter(({ name }) => name === own[0]?.name),
        figure,
      );
    };
    const values: Spread | undefined =
      against === undefined ? summedUp(of(system)) : ratios(of(system), of(against));
    return values === undefined ? [] : [{ clients: count, values }];
  });
  const sign = goal.atLeast === undefined ? -1 : 1;
  return found.sort((a, b) => sign * (a.values.median - b.values.median))[0];
}
