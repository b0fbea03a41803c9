import type { Scenario } from '../scenario.ts';

const bed = { redis: 'always' } as const;

export const temporalScenarios: readonly Scenario[] = [
  {
    name: 'temporal-killed',
    promises:
      'Temporal is killed and comes back with its data: batches are persisted directly, and once only.',
    bed,
    minimumDuring: 50,
    async fault({ bed, pause, begin, end }) {
      await pause(300, 1_200);
      await bed.temporal.kill();
      begin();
      await pause(1_000, 4_000);
      await bed.temporal.start();
      end();
    },
  },
  {
    name: 'temporal-frozen',
    promises: 'Temporal hangs with starts in flight and wakes: a batch that arrives late changes nothing.',
    bed,
    minimumDuring: 50,
    async fault({ bed, pause, begin, end }) {
      await pause(300, 1_200);
      process.kill(bed.temporal.pid, 'SIGSTOP');
      begin();
      await pause(1_500, 5_000);
      process.kill(bed.temporal.pid, 'SIGCONT');
      end();
    },
  },
];
