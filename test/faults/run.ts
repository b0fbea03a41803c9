import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageProblem } from '../../dev/arguments.ts';
import { ROOT, stateFolder } from '../../dev/clone.ts';
import { describeError } from '../../dev/problem.ts';
import { type Bed, startBed } from './bed.ts';
import { describeRun } from './describe-run.ts';
import { type FaultOptions, readOptions, USAGE } from './options.ts';
import { report, table } from './report.ts';
import { describeSession, readResults, record } from './results.ts';
import { type RunResult, runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { type Servers, startServers } from './servers.ts';

const progress = (line: string) => process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) process.stdout.write(`${USAGE}\n`);
  return options === undefined ? 0 : run(options);
}

async function run(options: FaultOptions): Promise<number> {
  const { scenarios, seeds } = options;
  if (options.only === 'list') {
    for (const { name, promises } of scenarios) process.stdout.write(`${name.padEnd(20)} ${promises}\n`);
    return 0;
  }
  const folder = join(stateFolder(), 'faults');
  const resultsFile = join(folder, 'results.jsonl');
  const build = readFileSync(join(ROOT, 'dist', '.build-stamp'), 'utf8').trim();
  if (options.only === 'report') {
    process.stdout.write(`${report(scenarios, readResults(resultsFile, build))}\n`);
    return 0;
  }
  // Sessions may run side by side: each has its own servers, ports and logs, and all add to the same results.
  const now = new Date().toISOString().replaceAll(':', '-').slice(0, 19);
  const logs = join(folder, `logs-${now}-${process.pid}`);
  mkdirSync(logs, { recursive: true });
  const wanted = scenarios.flatMap((scenario) => seeds.map((seed) => ({ scenario, seed })));
  const kept = (options.resume ? readResults(resultsFile, build) : []).filter(
    (r) =>
      r.outcome === 'passed' &&
      wanted.some(({ scenario, seed }) => scenario.name === r.scenario && seed === r.seed),
  );
  const todo = wanted.filter(
    ({ scenario, seed }) => !kept.some((r) => r.scenario === scenario.name && r.seed === seed),
  );
  if (kept.length > 0) progress(`faults: ${kept.length} runs of this build passed before`);

  const results: RunResult[] = [...kept];
  const servers = await startServers(progress);
  const session = await describeSession(build, servers.versions);
  const beds = createBeds(servers, logs);
  try {
    for (const [i, { scenario, seed }] of todo.entries()) {
      let result = await one(beds, scenario, seed, { ...options, logs });
      if (result.outcome === 'void') {
        progress(`faults: once more, since that proves nothing: ${line(result)}`);
        result = await one(beds, scenario, seed, { ...options, logs });
      }
      results.push(result);
      record(resultsFile, { ...result, session, at: new Date().toISOString() });
      progress(`faults: ${i + 1}/${todo.length} ${line(result)}`);
    }
  } finally {
    await beds.close();
    await servers.stop();
  }
  process.stdout.write(`${table(scenarios, results).join('\n')}\n`);
  return results.every(({ outcome }) => outcome === 'passed') ? 0 : 1;
}

async function one(
  beds: Beds,
  scenario: Scenario,
  seed: number,
  options: { readonly scale: number; readonly logs: string; readonly histories: boolean },
): Promise<RunResult> {
  const { scale, logs, histories } = options;
  try {
    const bed = await beds.get(scenario);
    const run = await runScenario(bed, scenario, seed, { scale });
    if (histories || run.result.problems.length > 0) {
      writeFileSync(join(logs, `${scenario.name}-${seed}.json`), JSON.stringify(run));
    }
    if (run.result.outcome === 'violated') progress(describeRun(run, logs));
    // The same seed writes the same keys: it is run again on another bed.
    if (run.result.outcome !== 'passed') await beds.close();
    return run.result;
  } catch (error) {
    // What the bench itself could not do is no verdict on Holdfast, and no pass either.
    progress(`${scenario.name}, seed ${seed}: ${(error as Error).stack}`);
    await beds.close();
    return {
      ...{ scenario: scenario.name, seed, outcome: 'void', during: 0, outageMs: 0, ms: 0, phases: {} },
      ...{
        fired: false,
        calls: { ok: 0, failed: 0, unknown: 0 },
        codes: {},
        problems: [(error as Error).message],
      },
    };
  }
}

interface Beds {
  get(scenario: Scenario): Promise<Bed>;
  close(): Promise<void>;
}

/** Keeps one bed for as long as the scenarios want the same. */
function createBeds(servers: Servers, logs: string): Beds {
  let kept: { readonly wanted: string; readonly bed: Bed } | undefined;
  const close = async () => {
    await kept?.bed.stop();
    kept = undefined;
  };
  return {
    async get(scenario) {
      const wanted = JSON.stringify(scenario.bed);
      if (kept?.wanted !== wanted) {
        await close();
        await servers.mend();
        kept = { wanted, bed: await startBed(servers, scenario.bed, logs) };
      }
      return kept.bed;
    },
    close,
  };
}

function line({
  scenario,
  seed,
  outcome,
  calls,
  codes,
  during,
  outageMs,
  ms,
  phases,
  problems,
}: RunResult): string {
  const seconds = (time: number) => (time / 1_000).toFixed(1);
  const where = Object.entries(phases).map(([phase, time]) => `${phase} ${seconds(time)}`);
  const answers = Object.entries(codes).map(([code, times]) => `${code} ${times}`);
  return [
    `${scenario} seed ${seed}: ${outcome}`,
    `${calls.ok} ok, ${calls.failed} failed, ${calls.unknown} unknown`,
    `${during} ok in an outage of ${seconds(outageMs)} s`,
    `${seconds(ms)} s (${where.join(', ')})`,
    ...(answers.length > 0 ? [answers.join(', ')] : []),
    ...problems.slice(0, 2),
  ].join('; ');
}

const ended = main(process.argv.slice(2)).catch((error: unknown) => {
  const wrong = error instanceof UsageProblem;
  progress(`faults: ${describeError(error)}${wrong ? `\n${USAGE}` : ''}`);
  return wrong ? 2 : 1;
});
// Not by process.exitCode: Node 20 can hang while it tidies up after connections that were reset half closed.
process.exit(await ended);
