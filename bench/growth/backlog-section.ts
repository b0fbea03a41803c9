import { digits, table, withRange } from '../format.ts';
import { spread } from '../statistics.ts';
import type { Drain } from './drain.ts';
import type { Footprint } from './footprint.ts';
import type { Recovered } from './lost-memory.ts';
import { footprintTable } from './tables.ts';

/** What was found out about a backlog. Times in ms. */
export interface BacklogFound {
  readonly writes: number;
  readonly partitions: number;
  /** From the first request until the last was acknowledged, and until Temporal had everything. */
  readonly acknowledgedMs: number;
  readonly inTemporalMs: number;
  /** Before the first write; with all of them in Temporal; and with all of them in PostgreSQL. */
  readonly before: Footprint;
  readonly after: Footprint;
  readonly drainedTo: Footprint;
  /** After Redis lost its memory without a worker, by partition. */
  readonly recovered: readonly Recovered[];
  readonly drained: Drain;
}

const MEGABYTE = 2 ** 20;
const perSecond = (writes: number, ms: number) => (ms > 0 ? digits((writes * 1_000) / ms) : '–');
const seconds = (ms: number) => digits(ms / 1_000);

/** The section of the report. */
export function backlogSection(found: BacklogFound): string {
  const { writes, partitions, before, after, drainedTo, drained } = found;
  const count = writes.toLocaleString('en-US');
  return [
    '## Backlog',
    `${count} documents of 30 B with keys of their own, acknowledged at \`cached\` through \`/v1/batch\` by a Holdfast with ${partitions} partition${partitions === 1 ? '' : 's'} and no worker. \`FLUSH_INTERVAL_MS\`
is a minute, so that every batch is full and all of them have room in Temporal; all other settings are the defaults. Then Redis was emptied (\`FLUSHALL\`), every partition was written to and read from at
once until it answered; one worker was started; Redis was emptied again as soon as the first row was there. At the end all rows were counted and their values compared with
what was written: nothing was lost, or there would be no table.`,
    progressTable(found),
    `The most resident memory that the worker ever had: ${drained.workerPeakMb === undefined ? '–' : digits(drained.workerPeakMb)} MB.`,
    '### Memory for each write that waits',
    'Bytes: the difference between before the first write and when all were in Temporal, divided by their number. An API process also keeps garbage for a while.',
    bytesTable(before, after, writes),
    '### Redis lost its memory',
    `Seconds from the end of \`FLUSHALL\`, medians of the ${partitions} partition${partitions === 1 ? '' : 's'}, in parentheses the least and the greatest. Refused: answers of 5xx before. Read: a write that was only in Temporal, or while draining in Temporal or PostgreSQL.`,
    recoveryTable([
      ['no worker', found.recovered],
      ['a worker drains', drained.recovered],
    ]),
    '### Sizes',
    footprintTable('', [
      ['before', before],
      ['all in Temporal', after],
      ['all in PostgreSQL', drainedTo],
    ]),
  ].join('\n\n');
}

function progressTable({ writes, acknowledgedMs, inTemporalMs, drained }: BacklogFound): string {
  const rest = writes - drained.rowsThen;
  return table(
    ['what', 'seconds', 'writes/s'],
    [
      ['acknowledged', seconds(acknowledgedMs), perSecond(writes, acknowledgedMs)],
      ['all in Temporal', seconds(inTemporalMs), perSecond(writes, inTemporalMs)],
      ['from the start of the worker to the first row', seconds(drained.firstRowMs), '–'],
      [
        'from the second loss being over until all was persisted',
        seconds(drained.restMs),
        rest > 0 ? perSecond(rest, drained.restMs) : '–',
      ],
      [
        'from the start of the worker until all was persisted',
        seconds(drained.allMs),
        perSecond(writes, drained.allMs),
      ],
    ],
  );
}

function bytesTable(before: Footprint, after: Footprint, writes: number): string {
  const each = (from: number | undefined, to: number | undefined) =>
    from === undefined || to === undefined ? '–' : digits(((to - from) * MEGABYTE) / writes);
  const resident = (part: 'server' | 'redis' | 'temporal' | 'postgres') =>
    each(before.resident[part], after.resident[part]);
  return table(
    ['API', 'Redis', 'Redis data', 'Temporal', 'Temporal file', 'PostgreSQL'],
    [
      [
        resident('server'),
        resident('redis'),
        each(before.redisUsed, after.redisUsed),
        resident('temporal'),
        each(before.temporalFile, after.temporalFile),
        resident('postgres'),
      ],
    ],
  );
}

function recoveryTable(lines: readonly (readonly [when: string, recovered: readonly Recovered[]])[]): string {
  return table(
    ['when', 'write accepted s', 'read answered s', 'refused'],
    lines.map(([when, recovered]) => [
      when,
      withRange(spread(recovered.map(({ writeMs }) => writeMs / 1_000))),
      withRange(spread(recovered.map(({ readMs }) => readMs / 1_000))),
      String(recovered.reduce((sum, { refused }) => sum + refused, 0)),
    ]),
  );
}
