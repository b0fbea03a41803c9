import { arch, availableParallelism, cpus, platform } from 'node:os';
import type { Cell, Measurement } from './measure.ts';
import type { BenchOptions, Workload } from './options.ts';
import { ratios, type Spread, spread } from './statistics.ts';
import { PARTS } from './systems.ts';

export interface Outcome {
  readonly cell: Cell;
  readonly measurement: Measurement;
}

const TITLES: Readonly<Record<Workload, string>> = {
  put: 'PUT of unique keys',
  increment: 'Increments of one hot key',
  get: 'GET of cached entries',
};

/** Which peers a workload's lines are compared with, and under which workload those ran. */
const BASES: Readonly<Record<Workload, readonly (readonly [letter: 'a' | 'b' | 'c', workload: Workload])[]>> =
  {
    put: [
      ['a', 'put'],
      ['b', 'put'],
    ],
    increment: [
      ['a', 'increment'],
      ['b', 'put'],
      ['c', 'increment'],
    ],
    get: [['a', 'get']],
  };

const LEGEND = `Medians of the rounds, in parentheses the least and the greatest. "× (a)" compares requests/s round by round.
CPU: microseconds a request of each part that the system has, until everything was in PostgreSQL (S: HTTP server, R: Redis,
W: Holdfast's worker, P: PostgreSQL, T: Temporal), and their sum. Where processor time is what runs short, compare these. Rows: inserted or updated in PostgreSQL for each acknowledged write. Behind: acknowledged writes that were not in PostgreSQL when
the load ended, and seconds until they were (at worst).`;

function digits(value: number): string {
  const places = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 || value === 0 ? 2 : 4;
  return value.toLocaleString('en-US', { minimumFractionDigits: places, maximumFractionDigits: places });
}

function withRange(values: Spread | undefined): string {
  if (values === undefined) return '–';
  if (values.min === values.max) return digits(values.median);
  return `${digits(values.median)} (${digits(values.min)}–${digits(values.max)})`;
}

function middle(values: readonly (number | undefined)[]): string {
  const known = spread(values.filter((value) => value !== undefined));
  return known === undefined ? '–' : digits(known.median);
}

function cpuText(measurements: readonly Measurement[]): string {
  const parts = PARTS.flatMap((part) => {
    const values = spread(measurements.flatMap(({ cpuMicros }) => cpuMicros[part] ?? []));
    return values === undefined ? [] : [{ letter: part.charAt(0).toUpperCase(), value: values.median }];
  });
  if (parts.length === 0) return '–';
  const each = parts.map(({ letter, value }) => `${letter} ${Math.round(value)}`).join(' ');
  return `${each} = ${Math.round(parts.reduce((sum, { value }) => sum + value, 0))}`;
}

function errorText(measurements: readonly Measurement[]): string {
  const sums = new Map<string, number>();
  for (const { errors } of measurements) {
    for (const [reason, times] of Object.entries(errors)) sums.set(reason, (sums.get(reason) ?? 0) + times);
  }
  return sums.size === 0 ? '0' : [...sums].map(([reason, times]) => `${times} × ${reason}`).join(', ');
}

function backlogText(measurements: readonly Measurement[]): string {
  const all = measurements.flatMap(({ backlog }) => (backlog === undefined ? [] : [backlog]));
  if (all.length === 0) return '–';
  const writes = Math.max(...all.map((backlog) => backlog.writes));
  const late = all.some((backlog) => backlog.seconds === undefined);
  const seconds = Math.max(...all.map((backlog) => backlog.seconds ?? 0));
  return `${digits(writes).replace('.00', '')}, ${late ? 'NOT PERSISTED' : `${digits(seconds)} s`}`;
}

/** A Markdown table whose columns also line up in a terminal. */
function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((name, column) =>
    Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const row = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [row(header), rule, ...lines.map(row)].join('\n');
}

function section(outcomes: readonly Outcome[], workload: Workload, clients: number): string | undefined {
  const ofRounds = (found: readonly Outcome[]) =>
    [...found].sort((a, b) => a.cell.round - b.cell.round).map((outcome) => outcome.measurement);
  const here = outcomes.filter(({ cell }) => cell.workload === workload && cell.clients === clients);
  const contenders = [
    ...new Set(outcomes.map(({ cell }) => cell.contender).filter((c) => c.workloads.includes(workload))),
  ].sort((a, b) => (a.letter ?? 'z').localeCompare(b.letter ?? 'z'));
  if (here.length === 0) return undefined;
  const bases = BASES[workload].flatMap(([letter, other]) => {
    const peer = outcomes.filter(
      ({ cell }) => cell.contender.letter === letter && cell.workload === other && cell.clients === clients,
    );
    return peer.length === 0 ? [] : [{ letter, perSecond: ofRounds(peer).map((m) => m.perSecond) }];
  });
  const lines = contenders.map((contender) => {
    const all = ofRounds(here.filter(({ cell }) => cell.contender === contender));
    const perSecond = all.map((m) => m.perSecond);
    return [
      contender.name,
      withRange(spread(perSecond)),
      withRange(spread(all.map((m) => m.p50))),
      withRange(spread(all.map((m) => m.p99))),
      errorText(all),
      ...bases.map(({ letter, perSecond: base }) =>
        contender.letter === letter ? '1' : withRange(ratios(perSecond, base)),
      ),
      cpuText(all),
      ...(workload === 'get' ? [] : [middle(all.map((m) => m.rowsPerWrite)), backlogText(all)]),
    ];
  });
  const header = [
    'system',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'errors',
    ...bases.map(({ letter }) => `× (${letter})`),
    'CPU µs',
    ...(workload === 'get' ? [] : ['rows', 'behind']),
  ];
  return `### ${TITLES[workload]}, ${clients} client${clients === 1 ? '' : 's'}\n\n${table(header, lines)}`;
}

/** The whole report as Markdown. */
export function report(
  outcomes: readonly Outcome[],
  options: BenchOptions,
  versions: readonly string[],
): string {
  const loop = options.rate === undefined ? 'closed loop' : `${options.rate} requests/s on schedule`;
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? 'CPU'} (${platform()} ${arch()}), Node ${process.versions.node}`;
  const sections = options.workloads.flatMap((workload) =>
    options.clients.flatMap((clients) => section(outcomes, workload, clients) ?? []),
  );
  const busy = Math.max(0, ...outcomes.map(({ measurement }) => measurement.ownCpu));
  const warning =
    busy > 0.9
      ? [`The load generator used ${digits(busy * 100)} % of a core at times: it may have been the limit.`]
      : [];
  return [
    '## Holdfast benchmark',
    `${new Date().toISOString().slice(0, 10)}, ${machine}; ${versions.join(', ')}. ${options.rounds} rounds of ${digits(options.measureMs / 1_000)} s, ${loop}.`,
    LEGEND,
    ...warning,
    ...sections,
  ].join('\n\n');
}
