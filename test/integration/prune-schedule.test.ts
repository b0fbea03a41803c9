import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { PRUNE_SCHEDULE, RECONCILE_SCHEDULE } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { connectTemporal, type Temporal } from '../../storage/temporal/client.ts';
import { ensureSchedule } from '../../storage/temporal/ensure-schedule.ts';
import { isTemporalUnreachable } from '../../storage/temporal/errors.ts';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.ts';
import { runWorker } from '../../worker/run-worker.ts';
import { schedulesOf } from '../../worker/schedules.ts';
import { createNamespace, services } from '../support/services.ts';
import { installQuietRuntime } from '../workflow/harness.ts';
import { type Fixture, migratedDatabase } from './postgres-fixture.ts';

const HOUR_MS = 3_600_000;

const opened: Temporal[] = [];
afterAll(() => Promise.all(opened.map((temporal) => temporal.close())));

async function connect(env: Readonly<Record<string, string>> = {}): Promise<Temporal> {
  const temporal = connectTemporal({
    environment: readEnvironment({
      TEMPORAL_ADDRESS: services().temporalAddress,
      TEMPORAL_NAMESPACE: await createNamespace(),
      ...env,
    }),
  });
  opened.push(temporal);
  return temporal;
}

const scheduleEvery = (everyMs: number) => {
  const [prune] = schedulesOf(readEnvironment({ PRUNE_INTERVAL_MS: String(everyMs) }));
  if (prune === undefined) throw new Error('there is no schedule');
  return prune;
};
const ensure = (temporal: Temporal, everyMs = HOUR_MS) =>
  ensureSchedule(temporal, scheduleEvery(everyMs), 10_000);
const handleOf = (temporal: Temporal) => temporal.client.schedule.getHandle(PRUNE_SCHEDULE);

test('a schedule is made that prunes every so often, one run at a time, and makes up for nothing', async () => {
  const temporal = await connect();
  await ensure(temporal);
  expect(await handleOf(temporal).describe()).toMatchObject({
    spec: { intervals: [{ every: HOUR_MS }] },
    action: { type: 'startWorkflow', workflowType: 'pruneTombstones', taskQueue: 'holdfast' },
    policies: { overlap: 'SKIP', catchupWindow: 60_000 },
    state: { paused: false },
  });
});

test('a pause, and its note, survives that a worker starts again, also one with another interval', async () => {
  const temporal = await connect();
  await ensure(temporal);
  await handleOf(temporal).pause('while the index is rebuilt');
  await ensure(temporal);
  const paused = { paused: true, note: 'while the index is rebuilt' };
  expect(await handleOf(temporal).describe()).toMatchObject({ state: paused });
  await ensure(temporal, 2 * HOUR_MS);
  expect(await handleOf(temporal).describe()).toMatchObject({
    state: paused,
    spec: { intervals: [{ every: 2 * HOUR_MS }] },
  });
});

test('workers that start together make one schedule', async () => {
  const temporal = await connect();
  // Asked about one schedule by many at once, the server turns some away: they try again.
  const insist = () =>
    until(() => ensure(temporal).then(() => true), { what: 'the schedule', timeoutMs: 40_000 });
  await Promise.all(Array.from({ length: 5 }, insist));
  expect(await handleOf(temporal).describe()).toMatchObject({ state: { paused: false } });
});

test('where Temporal is away the caller is told so', async () => {
  const temporal = await connect({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
  const error = await ensureSchedule(temporal, scheduleEvery(HOUR_MS), 500).catch((e: unknown) => e);
  expect(isTemporalUnreachable(error)).toBe(true);
});

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());

test('a worker sees to its schedule, and runs what that starts', { timeout: 150_000 }, async () => {
  installQuietRuntime();
  const settings = {
    TEMPORAL_NAMESPACE: await createNamespace(),
    TEMPORAL_TASK_QUEUE: `test-${randomUUID()}`,
  };
  const temporal = await connect(settings);
  const stop = new AbortController();
  const ended = runWorker({
    metrics: createWorkerMetrics({ process: false }),
    environment: readEnvironment({
      ...settings,
      DATABASE_URL: fixture.url,
      REDIS_URL: services().redisUrl,
      TEMPORAL_ADDRESS: services().temporalAddress,
      PRUNE_INTERVAL_MS: '1000',
    }),
    logger: pino({ level: 'silent' }),
    signal: stop.signal,
    onReady: () => {},
  });
  try {
    const run = await until(
      async () => (await handleOf(temporal).describe()).info.recentActions[0]?.action.workflow,
      { what: 'a run of the schedule', timeoutMs: 110_000, everyMs: 200 },
    );
    const result = await temporal.client.workflow.getHandle(run.workflowId, run.firstExecutionRunId).result();
    // No API process has brought this Redis into use.
    expect(result).toEqual({
      pruned: 0,
      floor: 0,
      skipped: 'partition p00 must be recovered in Redis first',
    });
    const reconcile = temporal.client.schedule.getHandle(RECONCILE_SCHEDULE);
    expect(await reconcile.describe()).toMatchObject({
      spec: { intervals: [{ every: 600_000 }] },
      action: { workflowType: 'reconcileIndex' },
      state: { paused: false },
    });
    await reconcile.trigger();
    const triggered = await until(
      async () => (await reconcile.describe()).info.recentActions[0]?.action.workflow,
      { what: 'a run of the other schedule', timeoutMs: 30_000, everyMs: 200 },
    );
    const pass = temporal.client.workflow.getHandle(triggered.workflowId, triggered.firstExecutionRunId);
    expect(await pass.result()).toMatchObject({ batches: 0, queuedAgain: 0 });
  } finally {
    stop.abort();
    await ended;
  }
});
