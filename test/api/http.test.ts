import { Redis } from 'ioredis';
import { Client } from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type RunningApi, runApi } from '../../api/run.ts';
import { readConfigFile } from '../../config/config-file.ts';
import { type Environment, readEnvironment } from '../../config/environment.ts';
import { createHoldfast } from '../../service/create-holdfast.ts';
import { createDatabase as openDatabase } from '../../storage/postgres/database.ts';
import { migrateToLatest } from '../../storage/postgres/migrate.ts';
import { createApiMetrics } from '../../telemetry/api-metrics.ts';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.ts';
import { runWorker } from '../../worker/run-worker.ts';
import { createDatabase, createNamespace, services, type TestDatabase } from '../support/services.ts';
import { type RedisTestServer, startRedis } from '../support/services-redis.ts';

const log = pino({ level: 'silent' });

let database: TestDatabase;
let redis: RedisTestServer;
let sql: Client;
let worker: Promise<void>;
const stopWorker = new AbortController();
/** Two API processes, as far as they share nothing but the services. */
const apis: RunningApi[] = [];

beforeAll(async () => {
  [database, redis] = await Promise.all([createDatabase(), startRedis()]);
  const environment: Environment = readEnvironment({
    PORT: '0',
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    TEMPORAL_ADDRESS: services().temporalAddress,
    TEMPORAL_NAMESPACE: await createNamespace(),
  });
  const handle = openDatabase({ url: database.url, poolSize: 1, timeoutMs: 5_000, applicationName: 'test' });
  await migrateToLatest(handle.db);
  await handle.close();
  sql = new Client({ connectionString: database.url });
  await sql.connect();
  await new Promise<void>((resolve, reject) => {
    const metrics = createWorkerMetrics({ process: false });
    worker = runWorker({ environment, metrics, logger: log, signal: stopWorker.signal, onReady: resolve });
    worker.catch(reject);
  });
  const { collections, keys } = readConfigFile('holdfast.config.json');
  for (let i = 0; i < 2; i += 1) {
    const onFatal = (error: Error) => {
      throw error;
    };
    const metrics = createApiMetrics({ process: false, partitions: 1 });
    const use = { environment, collections, keys, metrics: metrics.service, log, onFatal };
    const holdfast = createHoldfast(use);
    apis.push(await runApi({ environment, holdfast, keys, metrics, log }));
  }
});

afterAll(async () => {
  await Promise.all(apis.map((api) => api.stop()));
  stopWorker.abort();
  await worker;
  await sql?.end();
  await redis?.stop();
  await database?.drop();
});

function call(
  method: string,
  path: string,
  init: { body?: string; headers?: Record<string, string>; api?: number } = {},
) {
  const headers = { 'content-type': 'application/json', ...init.headers };
  const url = `${apis[init.api ?? 0]?.url}/v1/collections/${path}`;
  return fetch(url, { method, headers, ...(init.body === undefined ? {} : { body: init.body }) });
}

async function row(key: string): Promise<{ value: unknown; deleted: boolean } | undefined> {
  const { rows } = await sql.query('SELECT value::text AS value, deleted FROM documents WHERE key = $1', [
    key,
  ]);
  return rows[0];
}

test('an order is in its row when the answer arrives, and every process reads it', async () => {
  const body = '{"total":12.50,"id":9007199254740993}';
  const put = await call('PUT', 'orders/entries/o-1', { body });
  expect(put.status).toBe(201);
  expect(await put.json()).toMatchObject({ state: 'persisted' });
  expect(await row('o-1')).toMatchObject({ value: '{"id": 9007199254740993, "total": 12.50}' });
  for (const api of [0, 1]) {
    const get = await call('GET', 'orders/entries/o-1', { api });
    expect(get.headers.get('etag')).toBe(put.headers.get('etag'));
    expect(await get.text()).toContain('9007199254740993');
  }
  expect((await call('PUT', 'orders/entries/o-1', { body })).status).toBe(200);
});

test('a cart is queued, read back byte for byte from another process, and follows into its row', async () => {
  const body = '{ "items": [1, 123456789012345678901234567890], "name": "é 😀" }';
  const put = await call('PUT', 'carts/entries/a%2Fb', { body });
  expect(put.status).toBe(202);
  expect(await put.json()).toMatchObject({ key: 'a/b', state: 'queued' });
  const get = await call('GET', 'carts/entries/a%2Fb', { api: 1 });
  expect(await get.text()).toBe(body);
  expect(get.headers.get('cache-status')).toBe('Holdfast; hit');
  await vi.waitFor(async () => expect(await row('a/b')).toMatchObject({ deleted: false }), 10_000);
});

test.each(['cached', 'queued', 'persisted'])('Prefer: durability=%s is applied', async (level) => {
  const prefer = `durability=${level}`;
  const put = await call('PUT', `carts/entries/${level}`, { body: '1', headers: { prefer } });
  expect(put.status).toBe(level === 'persisted' ? 200 : 202);
  expect(put.headers.get('preference-applied')).toBe(prefer);
});

test.each(['orders', 'carts'])('conditions hold in %s', async (collection) => {
  const path = `${collection}/entries/conditional`;
  const create = () => call('PUT', path, { body: '1', headers: { 'if-none-match': '*' } });
  const created = await create();
  expect([201, 202]).toContain(created.status);
  const first = created.headers.get('etag') as string;
  const refused = await create();
  expect(refused.status).toBe(412);
  expect(refused.headers.get('etag')).toBe(first);
  const second = await call('PUT', path, { body: '2', headers: { 'if-match': first } });
  expect([200, 202]).toContain(second.status);
  const late = await call('DELETE', path, { headers: { 'if-match': first }, api: 1 });
  expect(late.status).toBe(412);
  expect(await late.json()).toMatchObject({
    currentVersion: Number(JSON.parse(second.headers.get('etag') as string)),
  });
  const same = await call('GET', path, {
    headers: { 'if-none-match': second.headers.get('etag') as string },
  });
  expect(same.status).toBe(304);
});

test('a deleted entry is gone, and can be made again', async () => {
  for (const collection of ['orders', 'carts']) {
    const path = `${collection}/entries/deleted`;
    await call('PUT', path, { body: '1' });
    expect([200, 202]).toContain((await call('DELETE', path)).status);
    expect((await call('GET', path, { api: 1 })).status).toBe(404);
    expect([201, 202]).toContain(
      (await call('PUT', path, { body: '2', headers: { 'if-none-match': '*' } })).status,
    );
  }
});

test('deleting what is absent is fine, and what was never there stays absent', async () => {
  for (const collection of ['orders', 'carts', 'page-views']) {
    const path = `${collection}/entries/never`;
    const deleted = await call('DELETE', path);
    expect([200, 202]).toContain(deleted.status);
    expect(await deleted.json()).toMatchObject({ collection, key: 'never', version: expect.any(Number) });
    for (const api of [0, 1]) expect((await call('GET', path, { api })).status).toBe(404);
    expect((await call('DELETE', path, { headers: { 'if-match': '"12"' } })).status).toBe(412);
  }
});

test('increments through two processes add up', async () => {
  const counts = Array.from({ length: 100 }, (_, i) =>
    call('POST', 'page-views/entries/home/increment', { body: '{"by":3}', api: i % 2 }),
  );
  for (const response of await Promise.all(counts)) expect(response.status).toBe(202);
  const get = await call('GET', 'page-views/entries/home');
  expect(await get.text()).toBe('300');
  await call('PUT', 'page-views/entries/home', { body: '9007199254740991' });
  expect((await call('POST', 'page-views/entries/home/increment')).status).toBe(409);
});

test('an explanation names the copies of a value', async () => {
  await call('PUT', 'orders/entries/explained', { body: '{"n":1}' });
  const response = await call('GET', 'orders/entries/explained/explanation');
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ key: 'explained', row: { value: { n: 1 }, deleted: false } });
});

test('a miss is read from the row and stored again', async () => {
  await call('PUT', 'orders/entries/missed', { body: '1' });
  const client = new Redis(redis.url);
  const keys = (await client.keys('*')).filter((key) => key.endsWith('orders/missed'));
  expect(keys).not.toEqual([]);
  await client.del(...keys);
  client.disconnect();
  const miss = await call('GET', 'orders/entries/missed');
  expect(miss.headers.get('cache-status')).toContain('fwd=uri-miss');
  expect(await miss.text()).toBe('1');
});

test('everything is ready', async () => {
  const response = await fetch(`${apis[0]?.url}/readyz`);
  expect(response.status).toBe(200);
  const ready = (await response.json()) as {
    status: string;
    dependencies: { dependency: string; ok: boolean }[];
  };
  expect(ready.dependencies.map(({ dependency }) => dependency)).toEqual(
    expect.arrayContaining(['redis', 'postgres', 'temporal']),
  );
});
