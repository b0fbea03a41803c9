import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';
import { query } from '../../dev/services/postgres.ts';
import { createDatabase, createNamespace, services } from '../support/services.ts';
import { startPostgres } from '../support/services-postgres.ts';
import { startRedis } from '../support/services-redis.ts';
import { startTemporal } from '../support/services-temporal.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const step of cleanup.reverse()) await step();
});

async function withRedis<T>(url: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  redis.on('error', () => {});
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

test('each test gets an empty database of its own, gone after drop', async () => {
  const [a, b] = await Promise.all([createDatabase(), createDatabase()]);
  await query(a.url, 'CREATE TABLE t (x int)');
  await query(b.url, 'CREATE TABLE t (x int)');
  await a.drop();
  await expect(query(a.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
  expect(await query(b.url, 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 0 }]);
  await b.drop();
});

test('a namespace can be used as soon as it was created', async () => {
  const namespace = await createNamespace();
  const connection = await Connection.connect({ address: services().temporalAddress });
  cleanup.push(() => connection.close());
  const client = new Client({ connection, namespace });
  const handle = await client.workflow.start('nothing', { workflowId: 'same-everywhere', taskQueue: 'none' });
  expect((await handle.describe()).status.name).toBe('RUNNING');
});

test('a private Redis forgets everything in a restart without its data, and keeps it with an append-only file', async () => {
  const redis = await startRedis({ appendOnly: true });
  cleanup.push(redis.stop);
  await withRedis(redis.url, (client) => client.set('k', 'v'));
  const before = redis.pid;
  await redis.kill();
  await redis.restart();
  expect(redis.pid).not.toBe(before);
  expect(await withRedis(redis.url, (client) => client.get('k'))).toBe('v');
  await redis.restart({ keepData: false });
  expect(await withRedis(redis.url, (client) => client.get('k'))).toBeNull();
});

test('a private PostgreSQL keeps what was committed when it is killed', async () => {
  const postgres = await startPostgres();
  cleanup.push(postgres.stop);
  await query(postgres.url, 'CREATE TABLE t AS SELECT 1 AS x');
  await postgres.kill();
  await postgres.start();
  await postgres.restart();
  expect(await query(postgres.url, 'SELECT x FROM t')).toEqual([{ x: 1 }]);
});

test('a private Temporal server keeps its workflows over a restart', async () => {
  const temporal = await startTemporal();
  cleanup.push(temporal.stop);
  const withClient = async <T>(use: (client: Client) => Promise<T>) => {
    const connection = await Connection.connect({ address: temporal.address });
    try {
      return await use(new Client({ connection }));
    } finally {
      await connection.close();
    }
  };
  await withClient((client) => client.workflow.start('nothing', { workflowId: 'w', taskQueue: 'none' }));
  await temporal.restart();
  const status = await withClient(
    async (client) => (await client.workflow.getHandle('w').describe()).status.name,
  );
  expect(status).toBe('RUNNING');
});
