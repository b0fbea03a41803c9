import type { Contender } from './contenders.ts';
import type { Cell } from './measure.ts';
import type { BenchOptions } from './options.ts';

/**
 * The cells of one round: every system under one workload with so many clients, right after one another, then the next
 * workload. Each round begins with another system, so that none always comes after the same one.
 */
export function cellsOfRound(contenders: readonly Contender[], options: BenchOptions, round: number): Cell[] {
  return options.clients.flatMap((clients) =>
    options.workloads.flatMap((workload) => {
      const all = contenders.filter((contender) => contender.workloads.includes(workload));
      const first = all.length === 0 ? 0 : round % all.length;
      return [...all.slice(first), ...all.slice(0, first)].map((contender) => ({
        workload,
        clients,
        contender,
        round,
      }));
    }),
  );
}
