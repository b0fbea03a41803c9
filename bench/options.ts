import { ENVIRONMENT_VARIABLES } from '../config/environment.ts';
import { FLAG, integerOf, listOf, numberOf, oneOf, parsed, TEXT, UsageProblem } from '../dev/arguments.ts';
import { CONTENDERS, type ContenderId, WORKLOADS } from './names.ts';
import { everything, QUICK, type Scenario, USUAL } from './scenarios.ts';

/** Environment variables of Holdfast. */
export type Settings = Readonly<Record<string, string>>;

export interface BenchOptions {
  readonly rounds: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly scenarios: readonly Scenario[];
  readonly systems: readonly ContenderId[];
  /** One Holdfast is started with each of these, beside its defaults. */
  readonly settings: readonly Settings[];
  /** Requests a second, sent on schedule; `undefined` is the closed loop. */
  readonly rate: number | undefined;
  /** The folder for CPU profiles and for what the services were asked to do. */
  readonly profile: string | undefined;
  readonly write: boolean;
}

export const USAGE = `usage: npm run bench -- [options]
About ten minutes on a quiet machine, unless told otherwise.
  --quick               about two minutes: what the goals are about, short rounds
  --full                hours: every workload with 1 to 1,024 clients, documents of 100 B, 1 KB and 32 KB
  --rounds N            rounds, all systems in each (3)
  --seconds N           measured time of one system in one round (1.5)
  --only W,W,…          of the workloads ${WORKLOADS.join(', ')} these only
  --systems S,S,…       of the systems ${CONTENDERS.join(', ')} these only
  --clients N,N,…       every workload with so many connections, each with one request in flight
  --sizes N,N,…         documents of so many bytes (100)
  --settings 'A=1 B=2'  a Holdfast with these settings; repeat it to compare several ('' for one with the defaults)
  --rate N              N requests a second on schedule instead of the closed loop; latencies count from the schedule
  --profile FOLDER      API and worker write a .cpuprofile there, and every system's commands of Redis, statements of
                        PostgreSQL and figures of the Temporal SDK are written beside; it costs some speed
  --write               also writes docs/performance.md and its charts`;

/** `PARTITIONS=4 SLOTS=8` */
function settingsOf(text: string): Settings {
  const pairs = text.split(/\s+/).filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name = '', value = ''] = /^([A-Z_]+)=(.*)$/.exec(pair) ?? [];
      if (ENVIRONMENT_VARIABLES.includes(name)) return [name, value];
      throw new UsageProblem(`--settings: "${pair}" is not a setting of Holdfast, as NAME=VALUE`);
    }),
  );
}

const OPTIONS = {
  quick: FLAG,
  full: FLAG,
  rounds: TEXT,
  seconds: TEXT,
  only: TEXT,
  systems: TEXT,
  clients: TEXT,
  sizes: TEXT,
  settings: { ...TEXT, multiple: true },
  rate: TEXT,
  profile: TEXT,
  write: FLAG,
} as const;

/**
 * The command line. `undefined`: only the usage was asked for.
 * @throws UsageProblem
 */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const given = parsed(args, OPTIONS);
  if (given.help) return undefined;
  const { quick, full } = given;
  if (quick && full) throw new UsageProblem('--quick and --full exclude each other');
  const integers = (name: string, min: number, max: number, value: string | undefined) =>
    value === undefined ? undefined : listOf(name, value, (part) => integerOf(name, part, min, max));
  const workloads =
    given.only === undefined ? WORKLOADS : listOf('only', given.only, oneOf('only', WORKLOADS));
  const clients = integers('clients', 1, 4_096, given.clients);
  const sizes = integers('sizes', 100, 65_536, given.sizes);
  const systems = given.systems ?? CONTENDERS.join(',');
  // Where numbers are asked for, everything is done with those; otherwise what was chosen with care.
  const scenarios =
    full || clients !== undefined || sizes !== undefined
      ? everything(workloads, clients ?? (full ? undefined : [64]), sizes ?? (full ? undefined : [100]))
      : (quick ? QUICK : USUAL).filter(({ workload }) => workloads.includes(workload));
  return {
    rounds: integerOf('rounds', given.rounds ?? '3', 1, 100),
    // At least as long as rows follow their acknowledgements: what is measured then is no beginning.
    warmupMs: 500,
    measureMs: numberOf('seconds', given.seconds ?? (quick ? '0.5' : '1.5'), 0.1, 600) * 1_000,
    scenarios,
    systems: listOf('systems', systems, oneOf('systems', CONTENDERS)),
    settings: (given.settings ?? ['']).map(settingsOf),
    rate: given.rate === undefined ? undefined : integerOf('rate', given.rate, 1, 1_000_000),
    profile: given.profile,
    write: given.write,
  };
}
