import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Environment, readEnvironment } from '../../config/environment.ts';
import { createDatabase as openDatabase } from '../../storage/postgres/database.ts';
import { readFence, replaceFence } from '../../storage/postgres/fence.ts';
import { migrateToLatest } from '../../storage/postgres/migrate.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { connectTemporal } from '../../storage/temporal/client.ts';
import { readPending } from '../../storage/temporal/read-pending.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import { startCacheRepair } from '../../storage/temporal/start-cache-repair.ts';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.ts';
import { runWorker } from '../../worker/run-worker.ts';
import { createDatabase, createNamespace, services, type TestDatabase } from '../support/services.ts';
import { startTemporal } from '../support/services-temporal.ts';
import { installQuietRuntime } from '../workflow/harness.ts';
import { batch, SEALED_AT } from './temporal-queue.ts';

let database: TestDatabase;
let settings: Record<string, string>;

beforeAll(async () => {
  installQuietRuntime();
  database = await createDatabase();
  settings = {
    DATABASE_URL: database.url,
    REDIS_URL: services().redisUrl,
    TEMPORAL_ADDRESS: services().temporalAddress,
    TEMPORAL_NAMESPACE: await createNamespace(),
    TEMPORAL_TASK_QUEUE: `test-${randomUUID()}`,
  };
});
afterAll(() => database?.drop());

/** A worker with what it logged, and a way to end it. */
function run(environment: Environment) {
  const lines: string[] = [];
  const stop = new AbortController();
  let ready = false;
  const ended = runWorker({
    metrics: createWorkerMetrics({ process: false }),
    environment,
    logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(line) }),
    signal: stop.signal,
    onReady: () => {
      ready = true;
    },
  });
  ended.catch(() => {});
  return {
    lines,
    ended,
    isReady: () => vi.waitFor(() => expect(ready).toBe(true), { timeout: 45_000, interval: 100 }),
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

it('a worker carries a batch into PostgreSQL, as soon as the tables are there', async () => {
  const environment = readEnvironment(settings);
  const temporal = connectTemporal({ environment });
  const worker = run(environment);
  await vi.waitFor(() => expect(worker.lines.join('')).toContain('npm run migrate'), 20_000);
  const { db, close } = openDatabase({
    url: database.url,
    poolSize: 2,
    timeoutMs: 10_000,
    applicationName: 'test',
  });
  await migrateToLatest(db);
  await recordTopology(db, { partitions: 1, slots: 32, namespace: 'default' });
  const { epoch: expected } = await readFence(db, 0);
  await replaceFence(db, { partition: 0, expected, epoch: batch(1).epoch, adopted: [] });
  await worker.isReady();
  await startBatch(temporal, { batch: batch(1), slot: 0, sealedAt: SEALED_AT, deadlineMs: 10_000 });
  await vi.waitFor(
    async () => {
      const rows = await db.selectFrom('counters').selectAll().execute();
      expect(rows).toMatchObject([{ collection: 'page-views', key: 'home', value: 12 }]);
    },
    { timeout: 20_000, interval: 100 },
  );
  // Redis holds no state of this partition, so the release cannot succeed; nothing is pending all the same.
  const pending = await readPending(temporal, {
    partition: 0,
    slot: 0,
    queryTimeoutMs: 3_000,
    deadlineMs: 10_000,
  });
  expect(pending).toMatchObject({ mutations: [], source: 'query' });
  // An order of another installation is not carried out in this one's Redis.
  const repair = { partition: 0, installation: 'another', entries: [], token: randomUUID() };
  await startCacheRepair(temporal, { ...repair, delayMs: 0, againMs: 0, deadlineMs: 10_000 });
  await vi.waitFor(
    async () => {
      const { raw } = await temporal.within(5_000, ({ workflow }) =>
        workflow.getHandle(`repair-cache:p00:${repair.token}`).describe(),
      );
      const [activity] = raw.pendingActivities ?? [];
      expect(activity?.lastFailure?.message).toContain('another Holdfast installation');
    },
    { timeout: 20_000, interval: 100 },
  );
  await worker.stop();
  await close();
  await temporal.close();
});

it('a worker that is started before Temporal waits for it, and says so', async () => {
  const server = await startTemporal();
  await server.stop();
  const worker = run(
    readEnvironment({ ...settings, TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: 'default' }),
  );
  await vi.waitFor(() => expect(worker.lines.join('')).toContain('waiting for Temporal at'), 20_000);
  await server.start();
  await worker.isReady();
  await worker.stop();
  await server.stop();
});

it('a namespace that is missing ends the start with a clear error', async () => {
  const worker = run(readEnvironment({ ...settings, TEMPORAL_NAMESPACE: 'nowhere' }));
  await expect(worker.ended).rejects.toThrow(/there is no namespace "nowhere" \(TEMPORAL_NAMESPACE\)/);
});

it('a password that Redis does not take ends the start with a clear error', async () => {
  const url = new URL(services().redisUrl);
  url.username = 'nobody';
  url.password = 'secret';
  const worker = run(readEnvironment({ ...settings, REDIS_URL: url.href }));
  const error = await worker.ended.catch((e: unknown) => e);
  expect(String(error)).toMatch(/^StartError: Redis: wrong user or password \(REDIS_URL\): WRONGPASS/);
  expect(String(error)).not.toContain('secret');
});

it('a shutdown is obeyed while the worker still waits', async () => {
  const worker = run(readEnvironment({ ...settings, TEMPORAL_ADDRESS: '127.0.0.1:1' }));
  await vi.waitFor(() => expect(worker.lines.join('')).toContain('waiting for Temporal at'), 20_000);
  await worker.stop();
});
