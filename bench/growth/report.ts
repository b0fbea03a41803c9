import { digits } from '../format.ts';
import { measuredBy } from '../machine.ts';
import type { GrowthOptions } from './options.ts';
import { ROUNDS } from './samples.ts';

const LEGEND = `How it was measured. Everything ran on one machine: Holdfast, its services, and the load, which comes from a process of its own over keep-alive connections, each
with one request in flight. What grows cannot be taken back, so the steps of a table were measured one after the other, and a machine like this changes its speed in
the meantime. So just before each measurement the same load was sent to the same thing: peer (a), bare Hono with one Redis command for each PUT, 64 clients, its Redis emptied. "× (a)"
compares requests/s with those of that moment. Compare steps by this column and by processor time; requests/s tell less. Figures are medians of the rounds, in
parentheses the least and the greatest.

- **CPU µs**: processor time for each request until everything was in PostgreSQL, by part (S: API, R: Redis, W: worker, P: PostgreSQL, T: Temporal), and the sum.
- **keeps up**: how fast rows were written, compared with acknowledgements, by the line through both times of those writes, where each has a key of its own.
- **Sizes**: resident memory in MB, when all was done; "Redis data" is what Redis counts for its data. PostgreSQL and Temporal serve all parts of one run, so Temporal's memory and file
  hold what the parts before left there.`;

/** The whole report as Markdown, of the sections that the parts gave. */
export function growthReport(
  sections: readonly string[],
  { measureMs }: Pick<GrowthOptions, 'measureMs'>,
  versions: readonly string[],
): string {
  return [
    '# How cost grows',
    `${measuredBy('bench:growth', versions)} ${ROUNDS} rounds of ${digits(measureMs / 1_000)} s, closed loop.`,
    LEGEND,
    ...sections,
  ].join('\n\n');
}
