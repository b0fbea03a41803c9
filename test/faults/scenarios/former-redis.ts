import type { FaultContext, Scenario } from '../scenario.ts';

/** Ends every process of Holdfast, as a deployment that is stopped does, and starts all again with another REDIS_URL. */
async function moveAllTo({ bed, pause }: FaultContext, port: number): Promise<void> {
  await Promise.all([
    ...bed.apis.map(({ child }) => child.kill()),
    ...bed.workers.map((worker) => worker.kill()),
  ]);
  await pause(0, 500);
  const extra = { REDIS_URL: `redis://127.0.0.1:${port}` };
  [bed.workers[0], bed.apis[0], bed.apis[1]] = await Promise.all([
    bed.startWorker(extra),
    bed.startApi(0, extra),
    bed.startApi(1, extra),
  ]);
}

export const formerRedisScenarios: readonly Scenario[] = [
  {
    name: 'redis-former',
    promises:
      'All processes move to another Redis and later back to the former one, which went on running: what happened meanwhile is not forgotten there.',
    bed: { redis: 'none' },
    seconds: 30,
    minimumDuring: 50,
    async fault(context) {
      const { bed, pause, begin, end, losingMemory, redisAway } = context;
      const other = await bed.startRedis('other');
      await pause(300, 1_000);
      begin();
      await redisAway(() => losingMemory(() => moveAllTo(context, other.port)));
      await pause(1_000, 2_500);
      await redisAway(() => losingMemory(() => moveAllTo(context, bed.redis.port)));
      await pause(500, 1_500);
      end();
      await other.kill();
    },
  },
];
