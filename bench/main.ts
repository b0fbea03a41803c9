import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../dev/clone.ts';
import { describeError } from '../dev/problem.ts';
import { type Contender, fillRequest, startContenders } from './contenders.ts';
import { type LoadProcess, startLoadProcess } from './load-process.ts';
import { measure } from './measure.ts';
import { type BenchOptions, readOptions, USAGE, UsageProblem } from './options.ts';
import { cellsOfRound } from './plan.ts';
import { type Outcome, report } from './report.ts';
import { type Services, startServices } from './services.ts';

/** Long enough for the hot code of every process to be compiled. */
const FIRST_RUN_MS = 1_000;
const RESULTS = 'bench/results/latest.md';

const progress = (line: string) => process.stderr.write(`${line}\n`);

/** The first run of every system under each workload counts for nothing. */
async function warmUp(
  contenders: readonly Contender[],
  options: BenchOptions,
  load: LoadProcess,
): Promise<void> {
  for (const contender of contenders) {
    if (options.workloads.includes('get') && contender.workloads.includes('get')) {
      await load.run(fillRequest(contender));
    }
  }
  const timing = { warmupMs: 0, measureMs: FIRST_RUN_MS, rate: undefined };
  for (const cell of cellsOfRound(contenders, { ...options, clients: [64] }, 0)) {
    await measure(cell, load, timing);
  }
}

async function runRounds(
  contenders: readonly Contender[],
  options: BenchOptions,
  load: LoadProcess,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    progress(`bench: round ${round + 1} of ${options.rounds}`);
    for (const cell of cellsOfRound(contenders, options, round)) {
      outcomes.push({ cell, measurement: await measure(cell, load, options) });
    }
  }
  return outcomes;
}

async function run(options: BenchOptions, services: Services, load: LoadProcess): Promise<void> {
  progress('bench: starting the systems');
  const contenders = await startContenders(services, options);
  try {
    progress('bench: warming up');
    await warmUp(contenders, options, load);
    const outcomes = await runRounds(contenders, options, load);
    const text = `${report(outcomes, options, services.versions)}\n`;
    process.stdout.write(text);
    if (options.write) {
      const file = join(ROOT, RESULTS);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      progress(`bench: written to ${RESULTS}`);
    }
  } finally {
    const databases = new Set(contenders.flatMap(({ system }) => system.db ?? []));
    for (const db of databases) await db.end().catch(() => {});
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  progress('bench: starting Redis, PostgreSQL and Temporal in a temporary folder');
  const services = await startServices(progress);
  const load = startLoadProcess();
  const end = async () => {
    load.stop();
    await services.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      progress('bench: stopping');
      void end().finally(() => process.exit(130));
    });
  }
  try {
    await run(options, services, load);
  } finally {
    await end();
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = error instanceof UsageProblem ? 2 : 1;
}
