import { chartsOf } from './charts.ts';
import { type Contender, startContenders } from './contenders.ts';
import { progress, runBench } from './entry.ts';
import type { LoadProcess } from './load-process.ts';
import { measure } from './measure.ts';
import { type BenchOptions, readOptions, USAGE } from './options.ts';
import type { Outcome } from './outcome.ts';
import { type Cell, cellsOfRound } from './plan.ts';
import { beginProfile } from './profile/profile.ts';
import { report } from './report.ts';
import { fillRequest } from './request-shape.ts';
import type { Services } from './services.ts';
import { disconnect } from './system.ts';
import { imageLine, writeReport } from './write-report.ts';

/** Long enough for the hot code of every process to be compiled. */
const FIRST_RUN_MS = 1_000;

/** The first run of every system under each workload counts for nothing. */
async function warmUp(
  contenders: readonly Contender[],
  { scenarios }: BenchOptions,
  load: LoadProcess,
): Promise<void> {
  const cells = cellsOfRound(contenders, scenarios, 0);
  const seen = new Set<string>();
  const isFirst = (what: string) => seen.size < seen.add(what).size;
  for (const { scenario, contender } of cells) {
    const reads = scenario.workload === 'get' || scenario.workload === 'mixed';
    if (reads && isFirst(`fill ${contender.name}`)) {
      await load.run(fillRequest(contender, scenario.bytes));
    }
  }
  const timing = { warmupMs: 0, measureMs: FIRST_RUN_MS, rate: undefined };
  const short = { ...timing, measureMs: FIRST_RUN_MS / 2 };
  for (const { scenario, contender, round } of cells) {
    if (!isFirst(`${scenario.workload} ${contender.name}`)) continue;
    const clients = Math.min(scenario.clients, 64);
    const cell = { scenario: { ...scenario, clients }, contender, round };
    await measure(cell, load, scenario.workload === 'put' ? timing : short);
  }
}

async function runRounds(
  contenders: readonly Contender[],
  options: BenchOptions,
  load: LoadProcess,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const cells = cellsOfRound(contenders, options.scenarios, round);
    progress(`round ${round + 1} of ${options.rounds}: ${cells.length} measurements`);
    for (const cell of cells) outcomes.push(await outcomeOf(cell, load, options));
  }
  return outcomes;
}

async function outcomeOf(cell: Cell, load: LoadProcess, options: BenchOptions): Promise<Outcome> {
  const { workload, clients, bytes } = cell.scenario;
  const { id, name } = cell.contender;
  const measurement = await measure(cell, load, options);
  return { workload, clients, bytes, id, name, round: cell.round, measurement };
}

async function run(options: BenchOptions, services: Services, load: LoadProcess): Promise<void> {
  progress('starting the systems');
  const contenders = await startContenders(services, options);
  try {
    progress('warming up');
    await warmUp(contenders, options, load);
    const profile = options.profile && (await beginProfile(contenders, options.profile));
    const outcomes = await runRounds(contenders, options, load);
    if (profile) for (const file of await profile()) progress(`wrote ${file}`);
    const charts = chartsOf(outcomes);
    process.stdout.write(`${report(outcomes, options, services.versions, [])}\n`);
    if (options.write) {
      const text = report(outcomes, options, services.versions, charts.map(imageLine));
      progress(`wrote ${writeReport(text, charts)}`);
    }
  } finally {
    for (const system of new Set(contenders.map((contender) => contender.system))) await disconnect(system);
  }
}

await runBench({ usage: USAGE, read: readOptions, run });
