import { cpuText, errorText } from './cells.ts';
import { digits, middle, table, withRange } from './format.ts';
import type { Measurement } from './measure-run.ts';
import { CONTENDERS, type ContenderId, type Workload } from './names.ts';
import { type Outcome, series, summedUp } from './outcome.ts';
import type { Scenario } from './scenarios.ts';
import { ratios } from './statistics.ts';

const TITLES: Readonly<Record<Workload, string>> = {
  put: 'PUT of unique keys',
  zipf: "PUT of 10,000 keys by Zipf's law",
  increment: 'Increments of one hot key',
  mixed: "90 % GET, 10 % PUT, of 2,000 keys by Zipf's law",
  get: 'GET of cached entries',
  cold: 'GET of entries that are only in PostgreSQL',
  batch: '`/v1/batch`, 100 PUTs of unique keys each',
};

/** Those whose requests/s the others are compared with. */
const BASES: readonly ContenderId[] = ['a', 'b', 'c'];

/** Of a scenario: each system's outcomes, in the order of the names. */
export function bySystem(
  outcomes: readonly Outcome[],
  { workload, clients, bytes }: Pick<Scenario, 'workload' | 'clients' | 'bytes'>,
): ReadonlyMap<string, readonly Outcome[]> {
  const here = outcomes
    .filter((one) => one.workload === workload && one.clients === clients && one.bytes === bytes)
    .sort((a, b) => CONTENDERS.indexOf(a.id) - CONTENDERS.indexOf(b.id) || a.round - b.round);
  const systems = new Map<string, Outcome[]>();
  for (const one of here) systems.set(one.name, [...(systems.get(one.name) ?? []), one]);
  return systems;
}

export function titleOf({
  workload,
  clients,
  bytes,
}: Pick<Scenario, 'workload' | 'clients' | 'bytes'>): string {
  const size = workload === 'increment' ? '' : `, ${bytes.toLocaleString('en-US')} B`;
  return `${TITLES[workload]}${size}, ${clients.toLocaleString('en-US')} client${clients === 1 ? '' : 's'}`;
}

/** One scenario: how fast, and at what cost. `undefined` where no system took part. */
export function section(outcomes: readonly Outcome[], scenario: Scenario): string | undefined {
  const systems = bySystem(outcomes, scenario);
  if (systems.size === 0) return undefined;
  const rows = [...systems];
  const tables = [speeds(rows, scenario.workload), costs(rows, scenario.workload)];
  return [`### ${titleOf(scenario)}`, ...tables].join('\n\n');
}

type Rows = readonly (readonly [name: string, outcomes: readonly Outcome[]])[];

function speeds(rows: Rows, workload: Workload): string {
  const perSecond = (outcomes: readonly Outcome[]) => series(outcomes, (m) => m.perSecond);
  const bases = BASES.flatMap((id) => {
    const outcomes = rows.find(([, [first]]) => first?.id === id)?.[1];
    return outcomes === undefined ? [] : [{ id, perSecond: perSecond(outcomes) }];
  });
  const lines = rows.map(([name, outcomes]) => {
    // Where nothing was answered within the measured time, there is no latency either.
    const latency = (figure: (m: Measurement) => number) =>
      withRange(summedUp(series(outcomes, (m) => (m.measured === 0 ? undefined : figure(m)))));
    return [
      name,
      withRange(summedUp(perSecond(outcomes))),
      ...bases.map((base) =>
        outcomes[0]?.id === base.id ? '1' : withRange(ratios(perSecond(outcomes), base.perSecond)),
      ),
      latency((m) => m.p50),
      latency((m) => m.p99),
      latency((m) => m.p999),
      errorText(outcomes.map(({ measurement }) => measurement)),
    ];
  });
  const unit = workload === 'batch' ? 'mutations/s' : 'requests/s';
  const header = [
    'system',
    unit,
    ...bases.map(({ id }) => `× (${id})`),
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'errors',
  ];
  return table(header, lines);
}

function costs(rows: Rows, workload: Workload): string {
  const writes = workload !== 'get' && workload !== 'cold';
  const lines = rows.map(([name, outcomes]) => {
    const median = (figure: (m: Measurement) => number | undefined) =>
      middle(summedUp(series(outcomes, figure)));
    return [
      name,
      cpuText(outcomes.map(({ measurement }) => measurement)),
      median((m) => m.redis?.bytes),
      median((m) => m.redis?.commands),
      ...(writes
        ? [
            median((m) => m.rowsPerWrite),
            `${median((m) => m.lag?.p50)} / ${median((m) => m.lag?.p99)}`.replace('– / –', '–'),
            median((m) => m.lag?.keepsUp),
            behindText(outcomes),
          ]
        : []),
    ];
  });
  const written = writes ? ['rows', 'lag ms p50 / p99', 'keeps up', 'behind'] : [];
  return table(['system', 'CPU µs', 'Redis bytes', 'Redis commands', ...written], lines);
}

/** The worst of the rounds. */
function behindText(outcomes: readonly Outcome[]): string {
  const all = outcomes.flatMap(({ measurement: { backlog } }) => backlog ?? []);
  if (all.length === 0) return '–';
  const writes = Math.max(...all.map((backlog) => backlog.writes ?? 0));
  const late = all.some((backlog) => backlog.seconds === undefined);
  const seconds = Math.max(...all.map((backlog) => backlog.seconds ?? 0));
  const count = all.some((backlog) => backlog.writes !== undefined)
    ? `${writes.toLocaleString('en-US')}, `
    : '';
  return `${count}${late ? 'NOT PERSISTED' : `${digits(seconds)} s`}`;
}
