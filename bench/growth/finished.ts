import { Client, Connection } from '@temporalio/client';
import { holdfastContenders } from '../contenders.ts';
import { progress } from '../entry.ts';
import { untilSettled } from '../persisted.ts';
import { requestShape } from '../request-shape.ts';
import { SMALL } from '../scenarios.ts';
import { type Holdfast, startHoldfast } from '../start-holdfast.ts';
import { evictCachedCopies } from './evict.ts';
import { type Footprint, footprint } from './footprint.ts';
import { fillUp } from './rows.ts';
import { type Planned, ROUNDS, type Sample, takeSamples } from './samples.ts';
import { nextNumber, type Setting, using } from './setting.ts';
import { footprintTable, probeTables } from './tables.ts';

/** The table holds so many rows, whatever was carried. */
const ROWS = 10_000;
const PLAN: readonly Planned[] = [
  { probe: 'queued', clients: 1 },
  { probe: 'new', clients: 64 },
  { probe: 'hit', clients: 64 },
];

/**
 * Each of its writes is a batch of its own. Several would be answered by the same starts, and a shorter FLUSH_INTERVAL_MS gathers
 * more in each batch as soon as the worker falls behind: neither carries more batches a second.
 */
const CARRYING_CLIENTS = 1;

const WORDS = `## Finished batches

One Holdfast with one partition that has carried more and more batches, each of them a workflow that Temporal keeps for a day. Nothing that it does later may cost
more by that. The first column is the number of completed workflows, as Temporal counts them, when measuring began. Measuring itself completes some more, and adds rows.
All cached copies were taken from Redis before its size was looked at. There are not
more of them, 10,000 say, because carrying those one by one would take longer than four minutes on two cores.`;

/** How cost grows with the number of batches that are done: the section of the report. */
export async function measureFinished(setting: Setting): Promise<string> {
  const { services, reference, load, options } = setting;
  const connection = await Connection.connect({ address: services.temporal.address });
  const samples: Sample[] = [];
  const sizes: [string, Footprint][] = [];
  await using(startHoldfast(services, { number: nextNumber(), settings: {} }), async (holdfast) => {
    const client = new Client({ connection, namespace: holdfast.namespace });
    const finished = async () => (await client.workflow.count(`ExecutionStatus = 'Completed'`)).count;
    const bench = { subject: { holdfast, rows: ROWS }, reference, load, timing: options };
    await fillUp(holdfast, 0, ROWS);
    await takeSamples('first', PLAN, bench);
    for (const target of options.finished) {
      for (let done = await finished(); done < target; done = await finished()) {
        progress(`finished: ${done} of ${target} batches`);
        const begin = performance.now();
        await carryBatches(setting, holdfast, target - done);
        progress(`finished: that took ${Math.round((performance.now() - begin) / 1_000)} s`);
      }
      const step = (await finished()).toLocaleString('en-US');
      for (let round = 0; round < ROUNDS; round += 1) samples.push(...(await takeSamples(step, PLAN, bench)));
      await evictCachedCopies(holdfast.redis);
      sizes.push([step, await footprint(services, holdfast)]);
    }
  });
  await connection.close();
  return [WORDS, probeTables('finished', samples), '### Sizes', footprintTable('finished', sizes)].join(
    '\n\n',
  );
}

let carried = 0;

/** Has so many writes carried, each in a batch of its own. */
async function carryBatches({ load }: Setting, holdfast: Holdfast, batches: number): Promise<void> {
  const [contender] = holdfastContenders(holdfast, ['queued']);
  if (contender === undefined) throw new Error('Holdfast is not measured as "queued"');
  carried += 1;
  await load.run({
    ports: holdfast.ports,
    clients: CARRYING_CLIENTS,
    warmupMs: 0,
    measureMs: 600_000,
    total: batches,
    shape: requestShape('put', contender, `carried-${carried}-`, SMALL),
  });
  await untilSettled(holdfast);
}
