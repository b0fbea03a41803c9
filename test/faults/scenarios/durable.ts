import type { Scenario } from '../scenario.ts';

/** Every scenario's clients use durable collections, too; here is what no other one would show for sure. */
export const durableScenarios: readonly Scenario[] = [
  {
    name: 'durable-unqueued-lost',
    promises:
      'Temporal hangs, or dies together with an API process, and FLUSHALL takes what could not be queued: nobody was told that it was, and no durable read had returned it.',
    bed: { redis: 'none' },
    minimumDuring: 10,
    seconds: 16,
    async fault({ bed, random, pause, begin, end, losingMemory }) {
      await pause(300, 1_000);
      begin();
      for (let times = random.int(2, 3); times > 0; times--) {
        const dies = random.chance(0.5);
        if (dies) await bed.temporal.kill();
        else process.kill(bed.temporal.pid, 'SIGSTOP');
        // Shorter than what makes the processes persist past Temporal: a connection that is refused is noticed sooner.
        await (dies ? pause(200, 600) : pause(400, 1_200));
        // A batch that was on its way to Temporal is now in nobody's hands.
        const index = random.int(0, 1);
        if (dies) await bed.apis[index]?.child.kill();
        await losingMemory(() => bed.redisClient.flushall());
        if (dies) {
          await bed.temporal.start();
          bed.apis[index] = await bed.startApi(index);
        } else {
          process.kill(bed.temporal.pid, 'SIGCONT');
        }
        await pause(1_500, 2_500);
      }
      end();
    },
  },
];
