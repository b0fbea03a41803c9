import { FLAG, integerOf, listOf, numberOf, oneOf, parsed, TEXT, UsageProblem } from '../../dev/arguments.ts';

/** What is measured while something grows: keys, batches that are done, processes, writes that wait. */
export const PARTS = ['keys', 'finished', 'processes', 'backlog'] as const;
export type Part = (typeof PARTS)[number];

export interface GrowthOptions {
  readonly parts: readonly Part[];
  /** Rows in the table, ascending. */
  readonly keys: readonly number[];
  /** Batches carried before, ascending. */
  readonly finished: readonly number[];
  readonly apis: readonly number[];
  readonly workers: readonly number[];
  /** Writes that wait, a multiple of {@link BATCH_OPERATIONS}. */
  readonly backlog: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly write: boolean;
}

export const USAGE = `usage: npm run bench:growth -- [options]
About a quarter of an hour and 5 GB of disk on a machine of two cores, unless told otherwise.
  --only P,P,…     of the parts ${PARTS.join(', ')} these only
  --keys N,N,…     rows in the table (1000,10000,100000,1000000,10000000)
  --finished N,N,… batches that were carried before (0,1000,5000)
  --apis N,N,…     API processes, each with one worker (1,2,3,4)
  --workers N,N,…  workers, each with one API process (1,2,3)
  --backlog N      writes that wait while no worker runs (1000000)
  --seconds N      measured time of each figure in each of three rounds (1)
  --write          also writes docs/growth.md`;

/** Operations in a request, and so what the backlog is a multiple of. */
const BATCH_OPERATIONS = 100;

const OPTIONS = {
  only: TEXT,
  keys: TEXT,
  finished: TEXT,
  apis: TEXT,
  workers: TEXT,
  backlog: TEXT,
  seconds: TEXT,
  write: FLAG,
} as const;

/**
 * The command line. `undefined`: only the usage was asked for.
 * @throws UsageProblem
 */
export function readOptions(args: readonly string[]): GrowthOptions | undefined {
  const given = parsed(args, OPTIONS);
  if (given.help) return undefined;
  const integers = (name: string, min: number, max: number, text: string) =>
    listOf(name, text, (part) => integerOf(name, part, min, max));
  // What grows is filled up further: there is no way back.
  const ascending = (name: string, min: number, max: number, text: string) =>
    integers(name, min, max, text).sort((a, b) => a - b);
  const only = given.only === undefined ? PARTS : listOf('only', given.only, oneOf('only', PARTS));
  const backlog = integerOf('backlog', given.backlog ?? '1000000', BATCH_OPERATIONS, 5_000_000);
  if (backlog % BATCH_OPERATIONS !== 0) {
    throw new UsageProblem(`--backlog: "${backlog}" is not a multiple of ${BATCH_OPERATIONS}`);
  }
  return {
    parts: PARTS.filter((part) => only.includes(part)),
    keys: ascending('keys', 1_000, 100_000_000, given.keys ?? '1000,10000,100000,1000000,10000000'),
    finished: ascending('finished', 0, 1_000_000, given.finished ?? '0,1000,5000'),
    apis: integers('apis', 1, 16, given.apis ?? '1,2,3,4'),
    workers: integers('workers', 1, 16, given.workers ?? '1,2,3'),
    backlog,
    warmupMs: 500,
    measureMs: numberOf('seconds', given.seconds ?? '1', 0.1, 60) * 1_000,
    write: given.write,
  };
}
