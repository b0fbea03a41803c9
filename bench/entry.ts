import { UsageProblem } from '../dev/arguments.ts';
import { describeError } from '../dev/problem.ts';
import { type LoadProcess, startLoadProcess } from './load-process.ts';
import { type Services, startServices } from './services.ts';

/** What a benchmark is, once services and load generator are there. */
export interface Bench<Options> {
  readonly usage: string;
  /** `undefined`: only the usage was asked for. @throws UsageProblem */
  read(args: readonly string[]): Options | undefined;
  run(options: Options, services: Services, load: LoadProcess): Promise<void>;
}

/** One line for whoever waits. The report alone goes to the standard output. */
export const progress = (line: string) => void process.stderr.write(`bench: ${line}\n`);

/**
 * Runs a benchmark with the arguments of this process and sets its exit code: 1 where it failed, 2 for wrong arguments. What was
 * started is stopped in any case, also by Ctrl-C.
 */
export async function runBench<Options>(bench: Bench<Options>): Promise<void> {
  try {
    const options = bench.read(process.argv.slice(2));
    if (options === undefined) process.stdout.write(`${bench.usage}\n`);
    else await withServices((services, load) => bench.run(options, services, load));
  } catch (error) {
    const wrong = error instanceof UsageProblem;
    process.stderr.write(`bench: ${describeError(error)}\n${wrong ? `${bench.usage}\n` : ''}`);
    process.exitCode = wrong ? 2 : 1;
  }
}

async function withServices(use: (services: Services, load: LoadProcess) => Promise<void>): Promise<void> {
  progress('starting Redis, PostgreSQL and Temporal in a temporary folder');
  const services = await startServices(progress);
  const load = startLoadProcess();
  const end = async () => {
    load.stop();
    await services.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      progress('stopping');
      void end().finally(() => process.exit(130));
    });
  }
  try {
    await use(services, load);
  } finally {
    await end();
  }
}
