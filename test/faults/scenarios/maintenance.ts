import { until } from '../../../dev/until.ts';
import type { FaultContext, Scenario } from '../scenario.ts';
import { pruneFloorOf } from '../settle.ts';

/** The floor follows the clocks: it stands still only where nothing is pruned. */
async function prunedAgain({ bed }: FaultContext): Promise<void> {
  const before = await pruneFloorOf(bed);
  await until(async () => (await pruneFloorOf(bed)) > before, {
    what: 'tombstones to be pruned',
    timeoutMs: 60_000,
    everyMs: 100,
  });
}

async function workerReplaced({ bed, pause }: FaultContext): Promise<void> {
  await bed.workers[0]?.kill();
  await pause(200, 1_000);
  bed.workers[0] = await bed.startWorker();
}

async function flushed({ bed, losingMemory }: FaultContext): Promise<void> {
  await losingMemory(() => bed.redisClient.flushall());
}

export const maintenanceScenarios: readonly Scenario[] = [
  {
    name: 'pruning',
    promises:
      'Tombstones are pruned every second, as young as the rule allows, while Redis is flushed or the worker is killed: no deleted entry comes back, no write is lost.',
    // The age is then what a request may take, and the tolerance of the clocks.
    bed: { redis: 'none', settings: { PRUNE_INTERVAL_MS: '1000', TOMBSTONE_MIN_AGE_MS: '0' } },
    seconds: 30,
    minimumDuring: 100,
    // Many keys for few clients, so that some tombstones live until they are pruned.
    workload: { clients: 12, deletions: 25, keysPerCollection: 300 },
    async fault(context) {
      const { random, pause, begin, end } = context;
      await prunedAgain(context);
      begin();
      for (let times = random.int(1, 3); times > 0; times--) {
        await (random.chance(0.5) ? workerReplaced(context) : flushed(context));
        await pause(1_500, 3_500);
      }
      await prunedAgain(context);
      end();
    },
  },
];
