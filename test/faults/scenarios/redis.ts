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
    async fault({ bed, pause, begin, end, redisAway }) {
      await pause(300, 1_200);
      begin();
      await redisAway(async () => {
        await bed.redis.kill();
        await pause(200, 2_500);
        await bed.redis.start();
      });
      await pause(500, 500);
      end();
    },
  },
  {
    name: 'redis-killed-empty',
    promises: 'Redis without any persistence is killed: nothing queued is lost, and no read goes back.',
    bed: { redis: 'none' },
    minimumDuring: 3,
    async fault({ bed, pause, begin, end, losingMemory, redisAway }) {
      await pause(300, 1_200);
      begin();
      await redisAway(() =>
        losingMemory(async () => {
          await bed.redis.kill();
          rmSync(join(bed.redis.dir, 'dump.rdb'), { force: true });
          await pause(0, 2_500);
          await bed.redis.start();
        }),
      );
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
    async fault({ bed, pause, begin, end, losingMemory, redisAway }) {
      const snapshot = join(bed.redis.dir, 'dump.rdb');
      await pause(200, 800);
      await bed.redisClient.save();
      copyFileSync(snapshot, `${snapshot}.old`);
      await pause(100, 1_500);
      begin();
      await redisAway(() =>
        losingMemory(async () => {
          await bed.redis.kill();
          copyFileSync(`${snapshot}.old`, snapshot);
          await pause(0, 500);
          await bed.redis.start();
        }),
      );
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
      // Recovery asks every slot and waits for the clock.
      await pause(2_000, 2_000);
      end();
    },
  },
  {
    name: 'redis-flushed-no-worker',
    promises:
      'FLUSHALL while no worker runs: what only Temporal holds is found there by every read and every later write.',
    bed: { redis: 'none' },
    minimumDuring: 50,
    async fault({ bed, random, pause, begin, end, losingMemory }) {
      await pause(200, 600);
      await bed.workers[0]?.kill();
      begin();
      for (let times = random.int(1, 2); times > 0; times--) {
        await pause(400, 1_500);
        await losingMemory(() => bed.redisClient.flushall());
        await pause(1_500, 2_500);
      }
      bed.workers[0] = await bed.startWorker();
      end();
    },
  },
  {
    name: 'redis-evicting',
    promises:
      'Redis evicts copies and leases all the time, with and without a worker: no read and no condition notices.',
    bed: { redis: 'always' },
    minimumDuring: 100,
    async fault({ bed, random, pause, begin, end }) {
      await pause(200, 600);
      const workerDies = random.chance(0.7);
      if (workerDies) await bed.workers[0]?.kill();
      begin();
      for (let times = random.int(20, 40); times > 0; times--) {
        const copies = (await bed.redisClient.keys('hf:{p*}:e:*')).filter(() => random.chance(0.7));
        if (copies.length > 0) await Promise.all(copies.map((copy) => bed.redisClient.del(copy)));
        await pause(50, 150);
      }
      if (workerDies) bed.workers[0] = await bed.startWorker();
      end();
    },
  },
  {
    name: 'redis-frozen',
    promises:
      'Redis hangs with writes in flight and wakes: requests end in time, abandoned writes do not run later.',
    bed: { redis: 'always' },
    minimumDuring: 1,
    async fault({ bed, pause, begin, end, redisAway }) {
      await pause(300, 1_200);
      await redisAway(async () => {
        process.kill(bed.redis.pid, 'SIGSTOP');
        begin();
        await pause(800, 4_000);
        process.kill(bed.redis.pid, 'SIGCONT');
      });
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
    async fault({ bed, random, pause, begin, end, redisAway }) {
      await pause(300, 800);
      begin();
      await redisAway(async () => {
        for (let times = random.int(5, 12); times > 0; times--) {
          if (random.chance(0.5)) bed.redisProxy?.cut();
          else {
            const sprung = bed.redisProxy?.cutOn('answer', (bytes) => bytes.includes('ok'));
            await Promise.race([sprung, pause(500, 1_000)]);
          }
          await pause(80, 400);
        }
        // A trap that was not sprung is taken away.
        void bed.redisProxy?.cutOn('answer', () => false);
      });
      end();
    },
  },
];
