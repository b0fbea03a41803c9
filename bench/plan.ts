import type { Contender } from './contenders.ts';
import type { Scenario } from './scenarios.ts';

/** One system in one scenario, in one round. */
export interface Cell {
  readonly scenario: Scenario;
  readonly contender: Contender;
  readonly round: number;
}

/** Peer (w) has one client only: it is there to say how long a start takes, not how many there can be. */
function takesPart({ id, workloads }: Contender, { workload, clients, only }: Scenario): boolean {
  if (!workloads.includes(workload) || (id === 'w' && clients > 1)) return false;
  return only === undefined || only.includes(id);
}

/**
 * The cells of one round: every system in one scenario, right after one another, then the next scenario. Each round begins
 * with another system, so that none always comes after the same one.
 */
export function cellsOfRound(
  contenders: readonly Contender[],
  scenarios: readonly Scenario[],
  round: number,
): Cell[] {
  return scenarios.flatMap((scenario) => {
    const all = contenders.filter((contender) => takesPart(contender, scenario));
    const first = all.length === 0 ? 0 : round % all.length;
    return [...all.slice(first), ...all.slice(0, first)].map((contender) => ({
      scenario,
      contender,
      round,
    }));
  });
}
