import { parseArgs } from 'node:util';
import { Problem } from '../dev/problem.ts';

export const WORKLOADS = ['put', 'increment', 'get'] as const;
export type Workload = (typeof WORKLOADS)[number];

export const LEVELS = ['cached', 'queued'] as const;
export type Level = (typeof LEVELS)[number];

export interface BenchOptions {
  readonly rounds: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly clients: readonly number[];
  readonly workloads: readonly Workload[];
  readonly levels: readonly Level[];
  /** One Holdfast is started for each number of partitions. */
  readonly partitions: readonly number[];
  readonly peers: boolean;
  /** Requests a second, sent on schedule; `undefined` is the closed loop. */
  readonly rate: number | undefined;
  /** Where the API processes leave their CPU profiles at the end. */
  readonly cpuProfile: string | undefined;
  readonly write: boolean;
}

export const USAGE = `usage: npm run bench -- [options]
  --quick               about a minute on a quiet machine: 64 and 256 clients, short rounds
  --full                also 1,024 clients
  --rounds N            rounds, all systems in each (3)
  --seconds N           measured time of one system in one round (2)
  --clients N,N,…       connections, each with one request in flight (1,64,256)
  --only W,W,…          workloads: ${WORKLOADS.join(', ')} (all)
  --levels L,L,…        what Holdfast's writes wait for: ${LEVELS.join(', ')} (both)
  --partitions N,N,…    a Holdfast for each of these settings of PARTITIONS (1)
  --no-peers            Holdfast alone
  --rate N              N requests a second on schedule instead of the closed loop; latencies count from the schedule
  --cpu-profile FOLDER  the API writes a .cpuprofile there; it costs some speed
  --write               also writes bench/results/latest.md`;

/** Wrong arguments: the message says which, and shows the usage. */
export class UsageProblem extends Problem {
  constructor(message: string) {
    super(`bench: ${message}\n${USAGE}`);
  }
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= min && value <= max) return value;
  throw new UsageProblem(`--${name}: "${text}" is not a number from ${min} to ${max}`);
}

function integerOf(name: string, text: string, min: number, max: number): number {
  const value = numberOf(name, text, min, max);
  if (Number.isInteger(value)) return value;
  throw new UsageProblem(`--${name}: "${text}" is not a whole number`);
}

function listOf<T>(name: string, text: string, one: (text: string) => T): T[] {
  const values = text.split(',').map((part) => one(part.trim()));
  if (new Set(values).size < values.length) throw new UsageProblem(`--${name}: "${text}" repeats itself`);
  return values;
}

function oneOf<T extends string>(name: string, known: readonly T[]): (text: string) => T {
  return (text) => {
    const found = known.find((value) => value === text);
    if (found !== undefined) return found;
    throw new UsageProblem(`--${name}: "${text}" is not one of ${known.join(', ')}`);
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: flag,
        full: flag,
        rounds: text,
        seconds: text,
        clients: text,
        only: text,
        levels: text,
        partitions: text,
        'no-peers': flag,
        rate: text,
        'cpu-profile': text,
        write: flag,
        help: { ...flag, short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageProblem((error as Error).message);
  }
}

/**
 * The command line. `undefined`: only the usage was asked for.
 * @throws UsageProblem
 */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const given = parse(args);
  if (given.help) return undefined;
  const { quick, full } = given;
  if (quick && full) throw new UsageProblem('--quick and --full exclude each other');
  const usual = quick ? '64,256' : full ? '1,64,256,1024' : '1,64,256';
  const integers = (name: string, min: number, max: number) => (text: string) =>
    listOf(name, text, (part) => integerOf(name, part, min, max));
  return {
    rounds: integerOf('rounds', given.rounds ?? '3', 1, 100),
    warmupMs: quick ? 150 : 500,
    measureMs: numberOf('seconds', given.seconds ?? (quick ? '0.5' : '2'), 0.1, 600) * 1_000,
    clients: integers('clients', 1, 4_096)(given.clients ?? usual),
    workloads: listOf('only', given.only ?? WORKLOADS.join(','), oneOf('only', WORKLOADS)),
    levels: listOf('levels', given.levels ?? LEVELS.join(','), oneOf('levels', LEVELS)),
    partitions: integers('partitions', 1, 100)(given.partitions ?? '1'),
    peers: !given['no-peers'],
    rate: given.rate === undefined ? undefined : integerOf('rate', given.rate, 1, 1_000_000),
    cpuProfile: given['cpu-profile'],
    write: given.write,
  };
}
