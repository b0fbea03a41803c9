import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { onFreePort } from '../../dev/services/ports.ts';
import { until } from '../../dev/until.ts';
import { startLoad } from '../support/load.ts';
import { namesIn, namesInQuery, sumOf } from '../support/prometheus-text.ts';
import { isTrue } from '../support/promtool.ts';
import { type PostgresTestServer, startPostgres } from '../support/services-postgres.ts';
import { call, entryUrl, type System, startSystem, type WorkerProcess } from '../support/system.ts';

const DEPLOY = join(import.meta.dirname, '..', '..', 'deploy');

let postgres: PostgresTestServer;
let system: System;
let worker: WorkerProcess;
let workerMetrics: string;
beforeAll(async () => {
  postgres = await startPostgres();
  system = await startSystem({
    workers: 0,
    databaseUrl: postgres.url,
    env: { POSTGRES_TIMEOUT_MS: '1000', REDIS_TIMEOUT_MS: '1000', REQUEST_DEADLINE_MS: '20000' },
  });
  workerMetrics = await onFreePort(async (port) => {
    const url = `http://127.0.0.1:${port}/metrics`;
    worker = await system.startWorker({ WORKER_METRICS_PORT: String(port) });
    await until(async () => (await fetch(url)).ok, { what: 'the worker serves metrics' });
    return url;
  });
});
afterAll(async () => {
  await system?.stop();
  await postgres?.stop();
});

const scrapeApi = async () => (await call('GET', `${system.url}/metrics`)).text;
const scrapeWorker = async () => (await call('GET', workerMetrics)).text;
const put = (key: string, body: unknown, durability = 'persisted') =>
  call('PUT', entryUrl(system.url, 'carts', key), { body, headers: { prefer: `durability=${durability}` } });

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}
const rules = (parse(readFileSync(join(DEPLOY, 'prometheus/alerts.yml'), 'utf8')) as Rules).groups.flatMap(
  (group) => group.rules,
);

test('what happens is counted where it happens', async () => {
  expect((await put('secret-a', 1)).json.state).toBe('persisted');
  await call('GET', entryUrl(system.url, 'carts', 'secret-a'));
  await call('GET', entryUrl(system.url, 'carts', 'secret-b'));
  const api = await scrapeApi();
  expect(sumOf(api, 'holdfast_reads_total', 'collection="carts"', 'outcome="hit"')).toBe(1);
  expect(sumOf(api, 'holdfast_reads_total', 'collection="carts"', 'outcome="miss"')).toBe(1);
  expect(sumOf(api, 'holdfast_batch_entries_count')).toBe(1);
  expect(sumOf(api, 'holdfast_batch_bytes_sum')).toBeGreaterThan(50);
  expect(sumOf(api, 'holdfast_queue_latency_seconds_sum')).toBeGreaterThan(0);
  expect(sumOf(api, 'holdfast_recoveries_total')).toBe(1);
  for (const dependency of ['redis', 'postgres', 'temporal', 'workers']) {
    expect(sumOf(api, 'holdfast_dependency_up', `"${dependency}"`), dependency).toBe(1);
  }
  // Readiness lists them, and nothing that waits or is answered needs them.
  expect(api).not.toContain('search-attributes');
  const worker = await scrapeWorker();
  const persisted = ['outcome="persisted"', 'via="workflow"'];
  expect(sumOf(worker, 'holdfast_persist_attempt_seconds_count', ...persisted)).toBe(1);
  expect(sumOf(worker, 'holdfast_persist_latency_seconds_sum')).toBeLessThan(10);
  expect(`${api}${worker}`).not.toContain('secret');
});

test('every metric that alerts and dashboard ask for is exposed', async () => {
  const exposed = new Set([...namesIn(await scrapeApi()), ...namesIn(await scrapeWorker())]);
  const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/dashboards/holdfast.json'), 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[];
  };
  const asked = [
    ...rules.map(({ alert, expr }) => ({ who: alert, expr })),
    ...dashboard.panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ who: title, expr })),
    ),
  ];
  expect(asked.length).toBeGreaterThan(40);
  const missing = asked.flatMap(({ who, expr }) =>
    namesInQuery(expr)
      .filter((name) => !exposed.has(name))
      .map((name) => `${who}: ${name}`),
  );
  expect(missing).toEqual([]);
});

/** The lines that a process logged about one thing, parsed. */
const logged = (output: string, message: string) =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === message);

test('PostgreSQL stops under load: the age grows, the main alert is true, and all is well again afterwards', async () => {
  const load = startLoad(`${system.url}/v1/collections/carts/entries`, 8);
  await postgres.stop();
  try {
    const alert = rules.find((rule) => rule.alert === 'HoldfastWritesNotPersisted')?.expr ?? '';
    await until(async () => await isTrue(alert, await scrapeApi()), {
      what: `${alert} is true`,
      timeoutMs: 45_000,
    });
    const [api, metrics] = [await scrapeApi(), await scrapeWorker()];
    expect(sumOf(api, 'holdfast_dependency_up', '"postgres"')).toBe(0);
    expect(sumOf(api, 'holdfast_dependency_up', '"redis"')).toBe(1);
    expect(sumOf(api, 'holdfast_pending_entries')).toBeGreaterThan(0);
    expect(sumOf(api, 'holdfast_slots_in_use')).toBeGreaterThan(0);
    expect(sumOf(api, 'holdfast_slots')).toBe(32);
    expect(sumOf(metrics, 'holdfast_persist_failures_total', 'class="unreachable"')).toBeGreaterThan(0);
    expect(sumOf(metrics, 'holdfast_persist_attempt_seconds_count', 'outcome="failed"')).toBeGreaterThan(0);
    expect(sumOf(metrics, 'temporal_activity_execution_failed_total')).toBeGreaterThan(0);
    const [line] = logged(worker.output(), 'Activity failed');
    expect(line).toMatchObject({
      batchId: expect.stringMatching(/^\d+-\w+\.p00\.\d+$/),
      workflowId: expect.stringMatching(/^write-behind:p00:s\d\d$/),
      runId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      activityType: 'carryBatch',
      component: 'temporal-sdk',
    });
  } finally {
    load.stop();
    await load.done;
    await postgres.start();
  }
  await until(async () => sumOf(await scrapeApi(), 'holdfast_oldest_unpersisted_seconds') === 0, {
    what: 'everything is persisted',
    timeoutMs: 90_000,
  });
  expect(sumOf(await scrapeApi(), 'holdfast_pending_entries')).toBe(0);
});

test('what PostgreSQL refuses is counted once, and waits for a decision', async () => {
  await system.db.query(
    `ALTER TABLE documents ADD CONSTRAINT forbidden CHECK (value::text NOT LIKE '%poison%')`,
  );
  expect((await put('secret-p', { note: 'secret-poison' })).status).toBe(400);
  expect((await put('secret-q', { note: 'fine' })).json.state).toBe('persisted');
  expect(sumOf(await scrapeWorker(), 'holdfast_dead_letters_total', 'class="23"')).toBe(1);
  await until(async () => sumOf(await scrapeApi(), 'holdfast_dead_letters_waiting') === 1, {
    what: 'the dead letter is told',
  });
  const letters = (await call('GET', `${system.url}/ops/v1/dead-letters`)).json.deadLetters;
  await call('POST', `${system.url}/ops/v1/dead-letters/${letters[0].id}/discard`, {
    body: { reason: 'test' },
  });
  await until(async () => sumOf(await scrapeApi(), 'holdfast_dead_letters_waiting') === 0, {
    what: 'the decision is told',
  });
});

test('what PostgreSQL refuses for good is told to be stuck', async () => {
  await system.db.query('ALTER TABLE documents RENAME TO elsewhere');
  expect((await put('secret-s', 1, 'queued')).json.state).toBe('queued');
  await until(async () => sumOf(await scrapeApi(), 'holdfast_open_batches', 'state="stuck"') === 1, {
    what: 'the batch is stuck',
  });
  expect(sumOf(await scrapeWorker(), 'holdfast_persist_failures_total', 'class="42"')).toBeGreaterThan(0);
});

test('a Redis that hangs does not hang the scrape', async () => {
  process.kill(system.redis.pid, 'SIGSTOP');
  try {
    await until(async () => sumOf(await scrapeApi(), 'holdfast_dependency_up', '"redis"') === 0, {
      what: 'Redis is told to be down',
    });
    const began = performance.now();
    await scrapeApi();
    expect(performance.now() - began).toBeLessThan(4_000);
    // Nobody knows: neither 0 nor, but for a second, what was true once.
    await until(async () => sumOf(await scrapeApi(), 'holdfast_oldest_unpersisted_seconds') === undefined, {
      what: 'the age is not told',
    });
  } finally {
    process.kill(system.redis.pid, 'SIGCONT');
  }
});

test('no log line and no metric of all this holds a key or a value', async () => {
  const everything = [
    worker.output(),
    system.apis[0]?.output(),
    await scrapeApi(),
    await scrapeWorker(),
  ].join('');
  expect(everything).not.toMatch(/secret-|entries\/k\d/);
});
