import { cpuText, errorText, generatorWarning } from '../cells.ts';
import { digits, middle, table, withRange } from '../format.ts';
import type { Measurement } from '../measure-run.ts';
import { ratios, spread } from '../statistics.ts';
import type { Footprint } from './footprint.ts';
import { PROBES } from './probes.ts';
import type { Sample } from './samples.ts';

/** A heading and a table for each probe, in the order in which they came; a line for each step. `grows` names the first column. */
export function probeTables(grows: string, samples: readonly Sample[]): string {
  return [...groups(samples, titleOf)]
    .flatMap(([title, own]) => [
      `### ${title}`,
      probeTable(grows, own),
      ...generatorWarning(own.map(({ measurement }) => measurement)),
    ])
    .join('\n\n');
}

function titleOf({ probe, clients }: Sample): string {
  return `${PROBES[probe]}, ${clients} client${clients === 1 ? '' : 's'}`;
}

function probeTable(grows: string, samples: readonly Sample[]): string {
  const lines = [...groups(samples, ({ step }) => step)].map(([step, own]) => {
    const measurements = own.map(({ measurement }) => measurement);
    const perSecond = measurements.map((m) => m.perSecond);
    const references = own.map(({ reference }) => reference);
    const latency = (figure: (m: Measurement) => number) =>
      withRange(spread(measurements.filter(({ measured }) => measured > 0).map(figure)));
    return [
      step,
      withRange(spread(perSecond)),
      withRange(ratios(perSecond, references)),
      latency((m) => m.p50),
      latency((m) => m.p99),
      cpuText(measurements),
      middle(spread(measurements.flatMap(({ lag }) => lag?.keepsUp ?? []))),
      errorText(measurements),
    ];
  });
  return table([grows, 'requests/s', '× (a)', 'p50 ms', 'p99 ms', 'CPU µs', 'keeps up', 'errors'], lines);
}

/** In the order of the first of each group. */
function groups<T>(all: readonly T[], nameOf: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const one of all) found.set(nameOf(one), [...(found.get(nameOf(one)) ?? []), one]);
  return found;
}

/** What was occupied at each step. `grows` names the first column. */
export function footprintTable(
  grows: string,
  steps: readonly (readonly [step: string, footprint: Footprint])[],
): string {
  const header = [
    ...[grows, 'rows', 'table MB', 'indexes MB', 'API MB', 'worker MB', 'Redis MB', 'Redis data MB'],
    ...['Redis keys', 'Temporal MB', 'Temporal file MB'],
  ];
  const megabytes = (value: number | undefined) => (value === undefined ? '–' : digits(value));
  const lines = steps.map(([step, { rows, resident, ...sizes }]) => [
    step,
    rows.toLocaleString('en-US'),
    digits(sizes.table),
    digits(sizes.indexes),
    megabytes(resident.server),
    megabytes(resident.worker),
    megabytes(resident.redis),
    digits(sizes.redisUsed),
    sizes.redisKeys.toLocaleString('en-US'),
    megabytes(resident.temporal),
    digits(sizes.temporalFile),
  ]);
  return table(header, lines);
}
