import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Scenario } from '../scenario.ts';

export const redisScenarios: readonly Scenario[] = [
  {
    name: 'redis-killed-aof',
    promises:
      'Redis with an append-only file synced at every write is killed: not even "cached" writes are lost.',
    bed: { redis: 'always' },
    minimumDuring: 3,
    async fault({ bed, pause, begin, end }) {
      await pause(300, 1_200);
      begin();
      await bed.redis.kill();
      await pause(200, 2_500);
      await bed.redis.start();
      await pause(500, 500);
      end();
    },
  },
  {
    name: 'redis-killed-empty',
    promises: 'Redis without any persistence is killed: nothing queued is lost, and no read goes back.',
    bed: { redis: 'none' },
    minimumDuring: 3,
    async fault({ bed, pause, begin, end, losingMemory }) {
      await pause(300, 1_200);
      begin();
      await losingMemory(async () => {
        await bed.redis.kill();
        rmSync(join(bed.redis.dir, 'dump.rdb'), { force: true });
        await pause(0, 2_500);
        await bed.redis.start();
      });
      await pause(500, 500);
      end();
    },
  },
  {
    name: 'redis-old-snapshot',
    promises:
      'Redis comes back with a snapshot of a while ago: what it forgot is taken from Temporal and PostgreSQL.',
    bed: { redis: 'none' },
    minimumDuring: 3,
    async fault({ bed, pause, begin, end, losingMemory }) {
      const snapshot = join(bed.redis.dir, 'dump.rdb');
      await pause(200, 800);
      await bed.redisClient.save();
      copyFileSync(snapshot, `${snapshot}.old`);
      await pause(100, 1_500);
      begin();
      await losingMemory(async () => {
        await bed.redis.kill();
        copyFileSync(`${snapshot}.old`, snapshot);
        await pause(0, 500);
        await bed.redis.start();
      });
      rmSync(snapshot);
      await pause(500, 500);
      end();
    },
  },
  {
    name: 'redis-flushed',
    promises: 'FLUSHALL under load, up to three times: nothing queued is lost, and no read goes back.',
    bed: { redis: 'none' },
    minimumDuring: 30,
    async fault({ bed, random, pause, begin, end, losingMemory }) {
      await pause(300, 1_000);
      begin();
      for (let times = random.int(1, 3); times > 0; times--) {
        await losingMemory(() => bed.redisClient.flushall());
        await pause(100, 1_200);
      }
      await pause(600, 600);
      end();
    },
  },
  {
    name: 'redis-frozen',
    promises:
      'Redis hangs with writes in flight and wakes: requests end in time, abandoned writes do not run later.',
    bed: { redis: 'always' },
    minimumDuring: 1,
    async fault({ bed, pause, begin, end }) {
      await pause(300, 1_200);
      process.kill(bed.redis.pid, 'SIGSTOP');
      begin();
      await pause(800, 4_000);
      process.kill(bed.redis.pid, 'SIGCONT');
      await pause(500, 500);
      end();
    },
  },
  {
    name: 'redis-cut',
    promises:
      'Connections to Redis are cut again and again, also between a script and its answer: no write runs twice.',
    bed: { redis: 'always', proxied: ['redis'] },
    minimumDuring: 10,
    async fault({ bed, random, pause, begin, end }) {
      await pause(300, 800);
      begin();
      for (let times = random.int(5, 12); times > 0; times--) {
        if (random.chance(0.5)) bed.redisProxy?.cut();
        else await bed.redisProxy?.cutOn('answer', (bytes) => bytes.includes('ok'));
        await pause(80, 400);
      }
      end();
    },
  },
];
