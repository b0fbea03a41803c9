import type { Recorded } from './results.ts';
import type { RunResult } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';

/** Everything that was recorded for one build, by whatever sessions, as Markdown. */
export function report(scenarios: readonly Scenario[], results: readonly Recorded[]): string {
  if (results.length === 0) return 'Nothing is recorded for this build.';
  return [...heading(results), '', ...table(scenarios, results), ...failures(results)].join('\n');
}

function heading(results: readonly Recorded[]): readonly string[] {
  const days = results.map(({ at }) => at.slice(0, 10)).sort();
  const [first, last] = [days.at(0), days.at(-1)];
  const each = (of: (run: Recorded) => string | undefined) =>
    [...new Set(results.map(of).filter((text) => text !== undefined))].join('; ');
  return [
    `Date: ${first === last ? first : `${first} to ${last}`}  `,
    `Machine: ${each(({ session }) => session.machine)}  `,
    `Versions: ${each(({ session: { versions } }) =>
      [
        `Node ${versions.node}`,
        `Redis ${versions.redis}`,
        `PostgreSQL ${versions.postgres}`,
        `Temporal ${versions.temporal}`,
      ].join(', '),
    )}  `,
    `Build: ${each(({ session }) => session.build.slice(0, 12))}, of commit ${each(({ session }) => session.commit) || 'unknown'}`,
  ];
}

/** One line for each scenario that ran, and the sums. */
export function table(scenarios: readonly Scenario[], results: readonly RunResult[]): readonly string[] {
  const ran = scenarios.filter(({ name }) => results.some(({ scenario }) => scenario === name));
  const rows = ran.map(({ name, promises }) => [
    name,
    promises,
    ...cells(results.filter(({ scenario }) => scenario === name)),
  ]);
  const known = results.filter(({ scenario }) => ran.some(({ name }) => name === scenario));
  return [
    ['scenario', 'what it promises', 'seeds passed', 'ok', 'failed', 'unknown', 'faults', 'outage'],
    ['---', '---', '--:', '--:', '--:', '--:', '--:', '--:'],
    ...rows,
    [`**${ran.length} scenarios**`, '', ...cells(known).map((cell) => `**${cell}**`)],
  ].map((row) => `| ${row.join(' | ')} |`);
}

function cells(runs: readonly RunResult[]): readonly string[] {
  const total = (of: (run: RunResult) => number) => runs.reduce((sum, run) => sum + of(run), 0);
  const seedsOf = (some: readonly RunResult[]) =>
    new Set(some.map(({ scenario, seed }) => `${scenario} ${seed}`));
  // A violation is not made good by running its seed again; a void run is.
  const violated = seedsOf(runs.filter(({ outcome }) => outcome === 'violated'));
  const passed = seedsOf(runs.filter(({ outcome }) => outcome === 'passed'));
  return [
    `${[...passed].filter((seed) => !violated.has(seed)).length}/${seedsOf(runs).size}`,
    ...(['ok', 'failed', 'unknown'] as const).map((outcome) =>
      total(({ calls }) => calls[outcome]).toLocaleString('en'),
    ),
    String(runs.filter(({ fired }) => fired).length),
    `${(total(({ outageMs }) => outageMs) / 1_000).toFixed(0)} s`,
  ];
}

function failures(results: readonly Recorded[]): readonly string[] {
  const failed = results.filter(({ outcome }) => outcome !== 'passed');
  if (failed.length === 0) return [];
  return [
    '',
    'Runs that did not pass:',
    '',
    ...failed.map(
      ({ scenario, seed, outcome, problems, during }) =>
        `- ${scenario}, seed ${seed}: ${outcome}; ${problems[0] ?? `${during} calls succeeded in the outage`}`,
    ),
  ];
}
