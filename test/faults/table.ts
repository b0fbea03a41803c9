import type { RunResult } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';

/** One line for each scenario, as Markdown. */
export function table(scenarios: readonly Scenario[], results: readonly RunResult[]): string {
  const rows = scenarios.map(({ name, promises }) => {
    const runs = results.filter(({ scenario }) => scenario === name);
    const passed = runs.filter(({ outcome }) => outcome === 'passed');
    const total = (of: (run: RunResult) => number) => runs.reduce((sum, run) => sum + of(run), 0);
    const cells = [
      name,
      `${passed.length}/${runs.length}`,
      total(({ calls }) => calls.ok + calls.failed + calls.unknown),
      total(({ calls }) => calls.failed),
      total(({ calls }) => calls.unknown),
      total(({ during }) => during),
      `${(total(({ outageMs }) => outageMs) / 1_000).toFixed(1)} s`,
      promises,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| scenario | passed | calls | failed | unknown | ok in the outage | outage | promises |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
