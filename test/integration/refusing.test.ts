import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { sumOf } from '../support/prometheus-text.ts';
import { type PostgresTestServer, startPostgres } from '../support/services-postgres.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

/** Servers that answer, and take no writes. */
let postgres: PostgresTestServer;
let system: System;
let raw: Redis;
beforeAll(async () => {
  postgres = await startPostgres();
  system = await startSystem({ databaseUrl: postgres.url, workers: 1 });
  raw = new Redis(system.redis.url);
  await put('carts', 'known', '"before"', 'persisted');
});
afterAll(async () => {
  raw?.disconnect();
  await system?.stop();
  await postgres?.stop();
});

const put = (collection: string, key: string, body: string, durability?: string) =>
  call('PUT', entryUrl(system.url, collection, key), {
    body,
    headers: durability === undefined ? {} : { prefer: `durability=${durability}` },
  });
const readyz = async () => (await call('GET', `${system.url}/readyz`)).json;
const health = async (name: string) => {
  const { status, dependencies } = await readyz();
  const found = dependencies.find(({ dependency }: { dependency: string }) => dependency === name);
  return { status, ok: found.ok, problem: found.problem, impact: found.impact };
};
const up = async (name: string) =>
  sumOf((await call('GET', `${system.url}/metrics`)).text, 'holdfast_dependency_up', `"${name}"`);
const well = () =>
  until(async () => (await readyz()).status === 'ready', { what: 'all is well', timeoutMs: 30_000 });

test.each([
  {
    what: 'a Redis without the replica that it must have',
    refuse: () => raw.config('SET', 'min-replicas-to-write', '1'),
    mend: () => raw.config('SET', 'min-replicas-to-write', '0'),
    says: /NOREPLICAS/,
    answers: [503],
  },
  {
    what: 'a Redis that became a replica',
    refuse: () => raw.replicaof('127.0.0.1', '1'),
    mend: () => raw.replicaof('NO', 'ONE'),
    says: /READONLY/,
    // After each such answer the client connects anew; a document that comes just then goes around Redis.
    answers: [503, 200, 201],
  },
])('$what is not well, in the words of Redis', async ({ refuse, mend, says, answers }) => {
  await well();
  await refuse();
  const acknowledged = new Map([['carts', '"before"']]);
  try {
    await until(async () => says.test((await health('redis')).problem), { what: 'Redis is told to refuse' });
    const { dependencies, status } = await readyz();
    expect([status, dependencies[0].ok]).toEqual(['degraded', false]);
    await until(async () => (await health('redis')).impact.startsWith('Redis refuses writes'), {
      what: 'what that means is told',
    });
    await until(async () => (await up('redis')) === 0, { what: 'the metric says so' });
    for (const collection of ['carts', 'orders', 'carts', 'orders']) {
      const value = `"${performance.now()}"`;
      const answer = await put(collection, 'known', value);
      expect(answers, answer.text).toContain(answer.status);
      if (answer.status === 503) expect(answer.json.code).toBe('dependency-unavailable');
      else acknowledged.set(collection, value);
    }
  } finally {
    await mend();
  }
  await well();
  await until(async () => (await up('redis')) === 1, { what: 'the metric says that all is well' });
  for (const [collection, value] of acknowledged) {
    expect((await call('GET', entryUrl(system.url, collection, 'known'))).text).toBe(value);
  }
  expect((await put('carts', 'known', '"before"', 'persisted')).json.state).toBe('persisted');
});

test('a partition that Redis has lost is no reason to be unready, and health does not recover it', async () => {
  await raw.flushall();
  const counted = async () =>
    sumOf((await call('GET', `${system.url}/metrics`)).text, 'holdfast_recoveries_total') ?? 0;
  const before = await counted();
  expect(await health('redis')).toMatchObject({ ok: true, status: 'ready' });
  expect(await counted()).toBe(before);
});

test('a PostgreSQL that became a standby is not well, and says so', async () => {
  await well();
  const { rows } = await system.db.query('SHOW data_directory');
  await system.db.query(`COPY (SELECT) TO '${rows[0].data_directory}/standby.signal'`);
  await postgres.restart();
  try {
    await until(async () => (await health('postgres')).problem.includes('standby'), {
      what: 'PostgreSQL is told to be a standby',
      timeoutMs: 30_000,
    });
    expect(await health('postgres')).toMatchObject({ status: 'degraded', ok: false });
    await until(async () => (await up('postgres')) === 0, { what: 'the metric says so' });
    expect((await put('orders', 'known', '"after"')).status).toBe(503);
  } finally {
    await system.db.query('SELECT pg_promote()');
  }
  await well();
});
