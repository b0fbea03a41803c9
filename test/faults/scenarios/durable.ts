import type { Scenario } from '../scenario.ts';

/** Every scenario's clients use durable collections, too; here is what no other one would show for sure. */
export const durableScenarios: readonly Scenario[] = [
  {
    name: 'durable-unqueued-lost',
    promises:
      'Temporal hangs, and FLUSHALL takes what could not be queued: no durable read had returned any of it.',
    bed: { redis: 'none' },
    minimumDuring: 10,
    async fault({ bed, random, pause, begin, end, losingMemory }) {
      await pause(300, 1_000);
      begin();
      for (let times = random.int(2, 3); times > 0; times--) {
        process.kill(bed.temporal.pid, 'SIGSTOP');
        // Shorter than what makes the processes persist past Temporal.
        await pause(400, 1_200);
        await losingMemory(() => bed.redisClient.flushall());
        process.kill(bed.temporal.pid, 'SIGCONT');
        await pause(1_500, 2_500);
      }
      end();
    },
  },
];
