import { shuffled } from '../../../dev/random.ts';
import { until } from '../../../dev/until.ts';
import { accessBatches, type Batches, type BatchRun } from '../batches.ts';
import type { Bed } from '../bed.ts';
import type { FaultContext, Scenario } from '../scenario.ts';

const bed = { redis: 'always' } as const;
const OPEN_AT_LEAST = 3;

/** PostgreSQL is away, so that batches stay open; somebody lays hands on several of their workflows at once. */
async function byHand(
  { bed, random, pause, begin, end, losingMemory }: FaultContext,
  act: (batches: Batches, run: BatchRun) => Promise<boolean>,
  alsoForget = true,
): Promise<void> {
  const batches = accessBatches(bed);
  await pause(300, 1_000);
  await bed.postgres.stop();
  begin();
  try {
    await pause(1_500, 3_000);
    const open = await until(
      async () => {
        const runs = await batches.open();
        return runs.length >= OPEN_AT_LEAST && runs;
      },
      { what: `${OPEN_AT_LEAST} open batches`, timeoutMs: 20_000 },
    );
    const chosen = shuffled(random, open).slice(0, random.int(OPEN_AT_LEAST, open.length));
    const acted = await Promise.all(chosen.map((run) => act(batches, run)));
    if (!acted.includes(true)) throw new Error('no workflow could be laid hands on');
    await pause(300, 1_000);
    // What was ended by hand must be found again by a recovery, too.
    if (alsoForget && random.chance(0.4)) await losingMemory(() => bed.redisClient.flushall());
    await pause(0, 700);
  } finally {
    await bed.postgres.start();
    await batches.close();
  }
  end();
}

/** Until slots have had more than one batch. */
async function manyBatches(bed: Bed, since: Date): Promise<void> {
  const { PARTITIONS, SLOTS } = bed.environment;
  const batches = accessBatches(bed);
  try {
    await until(async () => (await batches.startedSince(since)).length > 1.5 * PARTITIONS * SLOTS, {
      what: 'slots to be used again',
      timeoutMs: 30_000,
      everyMs: 250,
    });
  } finally {
    await batches.close();
  }
}

/** Ends the run of the batch, as every reset of a slot does, and brings back one that was done long ago. */
async function resetFormer(batches: Batches, run: BatchRun, since: Date): Promise<boolean> {
  const runs = await batches.startedSince(since);
  const former = runs.find((other) => other.workflowId === run.workflowId && other.runId !== run.runId);
  return former !== undefined && (await batches.reset(former));
}

export const workflowScenarios: readonly Scenario[] = [
  {
    name: 'workflow-terminated',
    promises:
      'Batch workflows with data inside are terminated by hand: readers still find the data, and it is queued again.',
    bed,
    seconds: 16,
    minimumDuring: 50,
    fault: (context) => byHand(context, (batches, run) => batches.terminate(run)),
  },
  {
    name: 'workflow-cancelled',
    promises: 'Batch workflows with data inside are asked to cancel: they finish all the same.',
    bed,
    minimumDuring: 50,
    fault: (context) => byHand(context, (batches, run) => batches.cancel(run)),
  },
  {
    name: 'workflow-reset',
    promises: 'Batch workflows with data inside are reset by hand: the new runs carry the data through.',
    bed,
    seconds: 25,
    minimumDuring: 50,
    fault: (context) => byHand(context, (batches, run) => batches.reset(run)),
  },
  {
    name: 'workflow-reset-former',
    promises:
      'Runs that were done long ago are reset by hand, which ends the batches that are in their slots now: these are queued again.',
    bed,
    seconds: 20,
    minimumDuring: 50,
    // A recovery looks at the latest run of each slot: it would not find what such a reset ended a moment before.
    async fault(context) {
      const since = new Date();
      await manyBatches(context.bed, since);
      await byHand(context, (batches, run) => resetFormer(batches, run, since), false);
    },
  },
];
