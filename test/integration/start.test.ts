import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { type ApiProcess, call, entryUrl } from '../support/system.ts';
import {
  type ProxiedSystem,
  type ServiceName,
  startSystemBehindProxies,
} from '../support/system-behind-proxies.ts';

const TOLERANCE_MS = 100;
let system: ProxiedSystem;
beforeAll(async () => {
  system = await startSystemBehindProxies({
    env: { CLOCK_TOLERANCE_MS: String(TOLERANCE_MS), POSTGRES_TIMEOUT_MS: '2000', REDIS_TIMEOUT_MS: '1000' },
  });
  // From here on the partition is in use: what follows starts on data that are there.
  const api = await system.startApi();
  await settled(api.url);
  await api.stop();
});
afterAll(() => system.stop());

const order = (api: string) => entryUrl(api, 'orders', 'o');
const cart = (api: string) => entryUrl(api, 'carts', 'c');
const views = (api: string) => `${entryUrl(api, 'page-views', 'p')}/increment`;
const ready = (api: string) => call('GET', `${api}/readyz`);

/** All is well, and every path works as it should then. */
async function settled(url: string): Promise<void> {
  await until(async () => (await ready(url)).json.status === 'ready', {
    what: 'all to be ready',
    timeoutMs: 30_000,
  });
  await until(async () => (await call('PUT', cart(url), { body: '"cart"' })).json.state === 'queued', {
    what: 'a write to be queued',
    timeoutMs: 30_000,
  });
  const put = await call('PUT', order(url), { body: '"order"' });
  expect([put.json.state, put.json.version % 2], put.text).toEqual(['persisted', 0]);
  expect((await call('POST', views(url))).status).toBe(202);
  expect((await call('GET', cart(url))).text).toBe('"cart"');
  expect((await call('GET', order(url))).text).toBe('"order"');
  expect((await call('GET', `${cart(url)}/explanation`)).status).toBe(200);
}

async function without(
  names: readonly ServiceName[],
  work: (api: ApiProcess) => Promise<void>,
): Promise<void> {
  for (const name of names) system.proxies[name].refuse(true);
  // The services stay away until the process listens.
  const api = await system.startApi();
  try {
    await work(api);
  } finally {
    for (const name of names) system.proxies[name].refuse(false);
    await api.stop();
  }
  expect(await api.exited).toBe('exit code 0');
}

/** PostgreSQL was reached, and something else was not. */
const degraded = (url: string) =>
  until(async () => (await ready(url)).json.status === 'degraded', {
    what: 'to be degraded',
    timeoutMs: 30_000,
  });

/** What an API answers that never reached PostgreSQL. */
async function refusesAll(url: string): Promise<void> {
  expect((await call('GET', `${url}/livez`)).status).toBe(200);
  const readiness = await ready(url);
  expect([readiness.status, readiness.json.status]).toEqual([503, 'unavailable']);
  for (const [method, path, body] of [
    ['GET', cart(url)],
    ['GET', order(url)],
    ['GET', `${cart(url)}/explanation`],
    ['PUT', cart(url), 1],
    ['PUT', order(url), 1],
    ['DELETE', order(url)],
    ['POST', views(url)],
  ] as const) {
    const answer = await call(method, path, body === undefined ? {} : { body });
    expect([answer.status, answer.json.code, answer.json.dependency], `${method} ${path}`).toEqual([
      503,
      'dependency-unavailable',
      'postgres',
    ]);
    expect(answer.headers.get('retry-after')).toBe('1');
  }
}

describe('an API that starts while', () => {
  test('Redis is away serves from PostgreSQL, and from Redis once that is there', async () => {
    await without(['redis'], async ({ url }) => {
      await degraded(url);
      for (const entry of [cart(url), order(url)]) {
        const put = await call('PUT', entry, { body: '"direct"' });
        expect([put.json.state, put.json.version % 2], put.text).toEqual(['persisted', 1]);
        const got = await call('GET', entry);
        expect([got.text, got.headers.get('cache-status')]).toEqual([
          '"direct"',
          expect.stringContaining('degraded'),
        ]);
      }
      expect((await call('POST', views(url))).json.dependency).toBe('redis');
      system.proxies.redis.refuse(false);
      await settled(url);
    });
  });

  test('Temporal is away persists directly, and queues once that is there', async () => {
    await without(['temporal'], async ({ url }) => {
      await degraded(url);
      expect((await call('PUT', order(url), { body: '"meanwhile"' })).json.state).toBe('persisted');
      expect((await call('PUT', cart(url), { body: '"meanwhile"' })).json.state).toBe('persisted');
      expect((await call('GET', cart(url))).text).toBe('"meanwhile"');
      system.proxies.temporal.refuse(false);
      await settled(url);
    });
  });

  test('PostgreSQL is away refuses everything until it has reached it once, then goes on without a restart', async () => {
    await without(['postgres'], async ({ url }) => {
      await refusesAll(url);
      system.proxies.postgres.refuse(false);
      await settled(url);
      // From now on an outage of PostgreSQL stops only what needs it.
      system.proxies.postgres.refuse(true);
      // The test before wrote around Redis: of copies only those are trusted that are newer than PostgreSQL's last word on that.
      const since = (Date.now() + TOLERANCE_MS) * 1_000;
      await until(async () => (await call('PUT', cart(url), { body: '"cart"' })).json.version > since, {
        what: 'a write of the time since',
      });
      expect((await call('GET', cart(url))).text).toBe('"cart"');
      await degraded(url);
    });
  });

  test('PostgreSQL takes connections and is silent answers in time', async () => {
    system.proxies.postgres.hold();
    const api = await system.startApi();
    try {
      const began = performance.now();
      await refusesAll(api.url);
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      system.proxies.postgres.forward();
    }
    await settled(api.url);
    await api.stop();
  });

  test.each([
    ['redis', 'postgres', 'temporal'],
    ['redis', 'temporal', 'postgres'],
    ['postgres', 'redis', 'temporal'],
    ['postgres', 'temporal', 'redis'],
    ['temporal', 'redis', 'postgres'],
    ['temporal', 'postgres', 'redis'],
  ] as const)('all are away works once %s, %s and %s are back', async (...names) => {
    await without(names, async ({ url }) => {
      await refusesAll(url);
      for (const [i, name] of names.entries()) {
        system.proxies[name].refuse(false);
        expect((await call('GET', `${url}/livez`)).status).toBe(200);
        if (!names.slice(0, i + 1).includes('postgres')) await refusesAll(url);
      }
      await settled(url);
    });
  });
});

describe('what must not be used is refused however late it shows', () => {
  test('other PARTITIONS than those of the data', async () => {
    system.proxies.postgres.refuse(true);
    const api = await system.startApi({ PARTITIONS: '2' });
    await refusesAll(api.url);
    system.proxies.postgres.refuse(false);
    expect(await api.exited).toBe('exit code 1');
    expect(api.output()).toMatch(
      /"level":60.*PARTITIONS is 2, but the data in PostgreSQL were written with PARTITIONS=1/,
    );
    const { rows } = await system.db.query('SELECT partitions FROM topology');
    expect(rows).toEqual([{ partitions: 1 }]);
  });

  test('a Redis that may evict what is not in the database, also when it takes the place of another', async () => {
    const api = await system.startApi();
    await settled(api.url);
    system.proxies.redis.refuse(true);
    const raw = new Redis(system.redis.url);
    await raw.config('SET', 'maxmemory-policy', 'allkeys-lru');
    system.proxies.redis.refuse(false);
    expect(await api.exited).toBe('exit code 1');
    expect(api.output()).toMatch(/"level":60.*maxmemory-policy allkeys-lru/);
    await raw.config('SET', 'maxmemory-policy', 'noeviction');
    raw.disconnect();
  });
});
