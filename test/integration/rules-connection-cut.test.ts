import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { type RedisTestServer, startRedis } from '../support/services-redis.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

let redis: RedisTestServer;
let proxy: TcpProxy;
let system: System;
beforeAll(async () => {
  redis = await startRedis();
  proxy = await startTcpProxy({ port: redis.port });
  system = await startSystem({ env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` } });
});
afterAll(async () => {
  await system.stop();
  await proxy.close();
  await redis.stop();
});

test('a connection to Redis cut between command and answer never doubles an increment', async () => {
  const url = entryUrl(system.url, 'page-views', 'home');
  const value = async () => (await call('GET', url)).json as number;
  const ready = await call('POST', `${url}/increment`);
  expect([ready.status, ready.json.value]).toEqual([202, 1]);

  const outcomes = { acknowledged: 1, unknown: 0, refused: 0 };
  const values = new Set([1]);
  let last = 1;
  let going = true;
  async function client(prefer: string): Promise<void> {
    while (going) {
      const answer = await call('POST', `${url}/increment`, { headers: { prefer } });
      if (answer.status < 300) {
        outcomes.acknowledged += 1;
        // Two increments that were answered with the same value would be one.
        expect(values.has(answer.json.value), 'a value that no other increment has').toBe(false);
        values.add(answer.json.value);
        last = Math.max(last, answer.json.value);
      } else {
        expect(answer.status).toBe(503);
        if (answer.json.code === 'outcome-unknown') outcomes.unknown += 1;
        else {
          expect(answer.json.code).toBe('dependency-unavailable');
          outcomes.refused += 1;
        }
      }
    }
  }
  const clients = Array.from({ length: 40 }, (_, i) =>
    client(`durability=${i % 4 === 0 ? 'queued' : 'cached'}`),
  );
  try {
    for (let cut = 0; cut < 20; cut++) {
      const before = outcomes.acknowledged;
      await until(() => outcomes.acknowledged > before + 40, {
        what: 'increments between two cuts',
        timeoutMs: 20_000,
      });
      // The script has run; the answers do not arrive.
      await proxy.cutOn('answer');
    }
  } finally {
    going = false;
    await Promise.all(clients);
  }
  const counted = await until(value, { what: 'a value' });
  expect(counted).toBeGreaterThanOrEqual(Math.max(outcomes.acknowledged, last));
  expect(counted).toBeLessThanOrEqual(outcomes.acknowledged + outcomes.unknown);
  // Else no cut came between a command and its answer.
  expect(outcomes.unknown).toBeGreaterThan(0);
  await until(
    async () => {
      const { rows } = await system.db.query(`SELECT value FROM counters WHERE key = 'home'`);
      return Number(rows[0]?.value) === counted;
    },
    { what: 'the same value in PostgreSQL', timeoutMs: 30_000 },
  );
}, 120_000);
