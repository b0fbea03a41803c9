import { generatorWarning } from './cells.ts';
import { digits, table } from './format.ts';
import { measuredBy } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { type Outcome, summedUp } from './outcome.ts';
import { PARTS } from './system.ts';
import { section } from './tables.ts';
import { verdicts } from './verdicts.ts';

const LEGEND = `How it was measured. All systems ran in the same run on the same machine, each with services of its own – PostgreSQL and Temporal
are one server each, with a database or a namespace for each system, and only the system being measured is sent anything. PostgreSQL
commits to disk before it answers; every Redis syncs its append-only file each second. The load comes from a process of its own
over keep-alive connections, each with one request in flight, after a warm-up. Rounds are interleaved: in each, every system has its turn.

Figures are medians of the rounds, in parentheses the least and the greatest; "× (a)" compares requests/s round by round. Of \`/v1/batch\` each
operation counts, not the request; but latencies are always those of requests.

- **CPU µs**: processor time for each request until everything was in PostgreSQL, by part (S: HTTP server, R: Redis, W: worker or consumer,
  P: PostgreSQL, T: Temporal), and the sum. Where processor time is what runs short, compare these.
- **Redis bytes, commands**: what Redis was sent for each request until then (\`total_net_input_bytes\`, \`total_commands_processed\`, which counts
  the commands that scripts call, too).
- **rows**: inserted or updated in PostgreSQL for each acknowledged write, those of books kept beside the entries included.
- **lag**: from a write's acknowledgement to the \`updated_at\` of its row, of one write in eight, where each has a key of its own. Looked up after the load: nothing is asked meanwhile.
  \`updated_at\` is when the row's transaction began, so the commit comes some milliseconds later. 0: the row came before the acknowledgement.
- **keeps up**: how fast rows were written, compared with acknowledgements, by the line through both times of those writes. Below 1 the backlog grew.
- **behind**: acknowledged writes that were not in PostgreSQL when the load ended, and the seconds until all were, at worst.

Peers: (a) one Redis command a request, never in a database; (b) one PostgreSQL statement a request, pool of 20: an upsert, in "increments" one of a
row that nothing else waits for; (c) PostgreSQL, then Redis; (d) Redis and a BullMQ job per write, a worker that upserts 50 at once; (e) Redis and a
stream, whose consumer upserts up to 1,000 items in one statement; (h) one \`UPDATE\` of the hot row; (w) one start of a workflow that does nothing. Their
code is in \`bench/peers/\`.`;

/** The whole report as Markdown. `images`: lines that show the charts. */
export function report(
  outcomes: readonly Outcome[],
  options: BenchOptions,
  versions: readonly string[],
  images: readonly string[],
): string {
  const loop = options.rate === undefined ? 'closed loop' : `${options.rate} requests/s on schedule`;
  return [
    '# Performance',
    `${measuredBy('bench', versions)} ${options.rounds} round${options.rounds === 1 ? '' : 's'} of ${digits(options.measureMs / 1_000)} s, ${loop}.`,
    ...generatorWarning(outcomes.map(({ measurement }) => measurement)),
    '## Goals',
    goalTable(outcomes),
    ...images,
    '## Results',
    LEGEND,
    ...options.scenarios.flatMap((scenario) => section(outcomes, scenario) ?? []),
    memoryTable(outcomes),
  ].join('\n\n');
}

function goalTable(outcomes: readonly Outcome[]): string {
  const lines = verdicts(outcomes).map(({ goal, wanted, measured, reached }) => [
    goal,
    wanted,
    measured,
    reached,
  ]);
  return table(['goal', 'wanted', 'measured', 'reached'], lines);
}

/** The most that each system ever had. */
function memoryTable(outcomes: readonly Outcome[]): string {
  const names = [...new Set(outcomes.map(({ name }) => name))];
  const lines = names.map((name) => {
    const own = outcomes.filter((one) => one.name === name);
    return [
      name,
      ...PARTS.map((part) => {
        const all = summedUp(own.map(({ measurement }) => measurement.memory[part]));
        return all === undefined ? '–' : digits(all.max);
      }),
    ];
  });
  const note = `Resident memory in MB, the most of all rounds, after a load. Pages that processes of one part share count once. PostgreSQL and Temporal
serve all systems: theirs is that of the run so far.`;
  return ['### Memory', note, table(['system', ...PARTS], lines)].join('\n\n');
}
