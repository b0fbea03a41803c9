import { availableParallelism } from 'node:os';
import { progress } from '../entry.ts';
import { startHoldfast } from '../start-holdfast.ts';
import { type Footprint, footprint } from './footprint.ts';
import type { GrowthOptions } from './options.ts';
import { fillUp } from './rows.ts';
import { type Planned, ROUNDS, type Sample, takeSamples } from './samples.ts';
import { nextNumber, type Setting, using } from './setting.ts';
import { footprintTable, probeTables } from './tables.ts';

const CLIENTS = 256;
const ROWS = 10_000;
const PLAN: readonly Planned[] = (['new', 'queued', 'hit'] as const).map((probe) => ({
  probe,
  clients: CLIENTS,
}));

const WORDS = `## Processes

Each line is a Holdfast of its own with so many API processes and workers; connections are spread evenly over the API processes. One machine runs them all, with ${availableParallelism()} cores, and
the load generator, Redis, PostgreSQL and Temporal beside them: more processes than cores can only take from each other. What to look at is processor time: what a
request costs all together should not grow with the number of processes.`;

/** How many of each. */
export interface Constellation {
  readonly apis: number;
  readonly workers: number;
}

/** API processes with one worker each time, then workers with one API process; none twice. */
export function constellationsOf({
  apis,
  workers,
}: Pick<GrowthOptions, 'apis' | 'workers'>): Constellation[] {
  return [
    ...apis.map((count) => ({ apis: count, workers: 1 })),
    ...workers
      .filter((count) => count !== 1 || !apis.includes(1))
      .map((count) => ({ apis: 1, workers: count })),
  ];
}

/** How cost grows with the number of processes: the section of the report. */
export async function measureProcesses({ services, reference, load, options }: Setting): Promise<string> {
  const samples: Sample[] = [];
  const sizes: [string, Footprint][] = [];
  for (const { apis, workers } of constellationsOf(options)) {
    const step = `${apis} + ${workers}`;
    progress(`processes: ${step}`);
    const starting = startHoldfast(services, { number: nextNumber(), settings: {}, apis, workers });
    await using(starting, async (holdfast) => {
      const bench = { subject: { holdfast, rows: ROWS }, reference, load, timing: options };
      await fillUp(holdfast, 0, ROWS);
      await takeSamples(step, PLAN, bench);
      for (let round = 0; round < ROUNDS; round += 1) samples.push(...(await takeSamples(step, PLAN, bench)));
      sizes.push([step, await footprint(services, holdfast)]);
    });
  }
  const grows = 'API + workers';
  return [WORDS, probeTables(grows, samples), '### Sizes', footprintTable(grows, sizes)].join('\n\n');
}
