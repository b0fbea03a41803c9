import { setTimeout as sleep } from 'node:timers/promises';
import { shuffled } from '../../../dev/random.ts';
import { accessBatches, type Batches, type BatchRun } from '../batches.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

const bed = { redis: 'always' } as const;
const AT_ONCE = 4;
const LATEST_MS = 3_000;
/** A run may be listed so much later than it started. */
const LISTED_LATE_MS = 1_000;

/** Each of them, several at once, in the order given. */
async function deliverAll(batches: Batches, runs: readonly BatchRun[]): Promise<void> {
  const left = [...runs];
  const courier = async () => {
    for (let run = left.shift(); run !== undefined; run = left.shift()) await batches.deliver(run);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, courier));
}

/** Every batch that is started meanwhile is persisted again, once to three times, at once or seconds later. */
async function repeatAll(
  { random, pause, begin, end }: FaultContext,
  batches: Batches,
): Promise<ReadonlySet<string>> {
  const delivered = new Set<string>();
  const underWay: Promise<void>[] = [];
  const repeat = async (run: BatchRun) => {
    await sleep(random.int(0, LATEST_MS));
    await batches.deliver(run);
  };
  await pause(200, 500);
  begin();
  const lasts = pause(3_500, 4_500).then(() => 'over');
  for (let since = Date.now(); ; ) {
    const asked = Date.now();
    for (const run of await batches.startedSince(new Date(since - LISTED_LATE_MS))) {
      if (delivered.has(run.runId)) continue;
      delivered.add(run.runId);
      for (let times = random.int(1, 3); times > 0; times--) underWay.push(repeat(run));
    }
    since = asked;
    if ((await Promise.race([lasts, sleep(100)])) === 'over') break;
  }
  await Promise.all(underWay);
  end();
  return delivered;
}

/** All rows of a run, for comparison. */
async function rows({ bed, prefix }: FaultContext): Promise<string> {
  const table = (name: string) =>
    `SELECT collection, key, version, deleted, value::text FROM ${name} WHERE starts_with(key, $1)`;
  const { rows } = await bed.db.query<object>(
    `${table('documents')} UNION ALL ${table('counters')} ORDER BY collection, key`,
    [prefix],
  );
  return JSON.stringify(rows);
}

function duplicateDelivery(): Scenario {
  let since = new Date();
  return {
    name: 'duplicate-delivery',
    promises:
      'Every batch is persisted at least twice, at once, seconds later, and long after: it counts once.',
    bed,
    minimumDuring: 300,
    async fault(context) {
      since = new Date();
      const batches = accessBatches(context.bed);
      try {
        const delivered = await repeatAll(context, batches);
        if (delivered.size < 3) context.complain(`only ${delivered.size} batches were delivered twice`);
      } finally {
        await batches.close();
      }
    },
    /** Once more when everything is over: not one row may change. */
    async afterwards(context) {
      const batches = accessBatches(context.bed);
      try {
        const before = await rows(context);
        const runs = await batches.startedSince(since);
        await deliverAll(batches, shuffled(context.random, runs));
        if ((await rows(context)) !== before) context.complain('a batch that was long done changed rows');
      } finally {
        await batches.close();
      }
    },
  };
}

/** Many batches wait without a worker; then they are persisted in an order of the seed, some before a worker starts. */
async function inRandomOrder(context: FaultContext): Promise<void> {
  const { bed, random, pause, begin, end } = context;
  await pause(200, 600);
  await bed.workers[0]?.kill();
  const batches = accessBatches(bed);
  try {
    begin();
    await pause(3_000, 4_500);
    const open = shuffled<BatchRun>(random, await batches.open());
    if (open.length < 8) context.complain(`only ${open.length} batches were open at once`);
    const early = random.int(0, open.length);
    await deliverAll(batches, open.slice(0, early));
    const starting = bed.startWorker();
    await deliverAll(batches, open.slice(early));
    bed.workers[0] = await starting;
    end();
  } finally {
    await batches.close();
  }
}

export const deliveryScenarios: readonly Scenario[] = [
  duplicateDelivery(),
  {
    name: 'random-order',
    promises: 'Many open batches are persisted in random order, in parallel: the newest version wins.',
    bed,
    minimumDuring: 150,
    fault: inRandomOrder,
  },
];
