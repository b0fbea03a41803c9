import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from '../../../dev/until.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import type { FaultContext, Scenario } from '../scenario.ts';
import type { Server } from '../servers.ts';

/** A replica that has what its primary had a moment ago, through a connection that can be cut. */
async function startReplica({ bed }: FaultContext) {
  const server = await bed.startRedis('replica');
  const replication = await startTcpProxy({ port: bed.redis.port });
  const client = new Redis({ port: server.port, host: '127.0.0.1', retryStrategy: () => 100 });
  client.on('error', () => {});
  // By default it waits 5 s for more replicas.
  await bed.redisClient.config('SET', 'repl-diskless-sync-delay', 0);
  await client.replicaof('127.0.0.1', replication.port);
  const synced = async () => (await client.info('replication')).includes('master_link_status:up');
  await until(synced, { what: 'the replica to follow its primary' });
  return { server, replication, client };
}

/** The replica takes over the primary's address, first as a replica still, as it happens to clients. */
async function promote(replica: Redis, port: number): Promise<void> {
  await replica.config('SET', 'port', port);
}

function failover(): Scenario {
  let promoted: { readonly server: Server & { readonly dir: string }; readonly client: Redis } | undefined;
  return {
    name: 'redis-failover',
    promises:
      'A replica that lags takes over from a primary that is gone: what it never got is taken from Temporal and PostgreSQL.',
    bed: { redis: 'none' },
    seconds: 25,
    minimumDuring: 10,
    async fault(context) {
      const { bed, pause, begin, end, losingMemory, redisAway } = context;
      const { server, replication, client } = await startReplica(context);
      promoted = { server, client };
      await pause(300, 1_200);
      await losingMemory(async () => {
        replication.refuse(true);
        await pause(50, 1_500);
        begin();
        await redisAway(async () => {
          await bed.redis.kill();
          await pause(0, 500);
          await promote(client, bed.redis.port);
          await pause(0, 700);
          await client.replicaof('NO', 'ONE');
        });
      });
      await replication.close();
      await pause(500, 500);
      end();
    },
    /** Gives the bed back its own Redis, with all that the other one knows. */
    async afterwards({ bed }) {
      if (promoted === undefined) return;
      const { server, client } = promoted;
      await client.save();
      client.disconnect();
      await server.kill();
      copyFileSync(join(server.dir, 'dump.rdb'), join(bed.redis.dir, 'dump.rdb'));
      await bed.redis.start();
    },
  };
}

/** Breaks a recovery at a point that the seed draws: before its fence is replaced, after, while it asks the slots, or anywhere. */
async function interrupt({ bed, random, pause }: FaultContext): Promise<void> {
  const replacing = (bytes: Buffer) => bytes.includes('adopted = $2');
  switch (random.int(1, 4)) {
    case 1:
      await Promise.race([bed.postgresProxy?.cutOn('request', replacing), pause(1_000, 1_000)]);
      break;
    case 2:
      await Promise.race([bed.postgresProxy?.cutOn('request', replacing), pause(1_000, 1_000)]);
      bed.redisProxy?.cut();
      break;
    case 3:
      await pause(50, 500);
      bed.temporalProxy?.cut();
      break;
    default:
      await pause(50, 900);
      bed.redisProxy?.cut();
      bed.postgresProxy?.cut();
  }
}

export const recoveryScenarios: readonly Scenario[] = [
  failover(),
  {
    name: 'two-recoveries',
    promises:
      'Redis is flushed while PostgreSQL and Temporal are slow: recoveries of two processes overlap and are cut in the middle.',
    bed: { redis: 'none', proxied: ['redis', 'postgres', 'temporal'] },
    minimumDuring: 10,
    async fault(context) {
      const { bed, random, pause, begin, end, losingMemory, redisAway } = context;
      await pause(300, 1_000);
      bed.postgresProxy?.delay(random.int(20, 150));
      bed.temporalProxy?.delay(random.int(20, 150));
      begin();
      await redisAway(async () => {
        for (let times = random.int(2, 4); times > 0; times--) {
          await losingMemory(() => bed.redisClient.flushall());
          await interrupt(context);
          await pause(0, 800);
        }
        // A trap that was not sprung is taken away.
        void bed.postgresProxy?.cutOn('answer', () => false);
        bed.postgresProxy?.delay(0);
        bed.temporalProxy?.delay(0);
      });
      await pause(1_000, 1_000);
      end();
    },
  },
];
