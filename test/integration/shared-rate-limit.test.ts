import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { exchangeDemand } from '../../storage/redis/exchange-demand.ts';
import { DEMAND_KEY } from '../../storage/redis/keys.ts';
import { testKey } from '../support/api-key.ts';
import { type RedisUnderTest, startRedisUnderTest } from '../support/redis-partition.ts';
import { temporaryFolder } from '../support/services.ts';
import { call, type System, startSystem } from '../support/system.ts';

const RATE = 40;
const { entry, headers, token } = testKey('shop', ['read:*'], { perSecond: RATE, burst: RATE });

let system: System;
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
  const config = JSON.parse(readFileSync('holdfast.config.json', 'utf8')) as object;
  const file = join(temporaryFolder('keys'), 'holdfast.config.json');
  writeFileSync(file, JSON.stringify({ ...config, keys: [entry] }));
  system = await startSystem({ apis: 2, workers: 0, env: { HOLDFAST_CONFIG: file, LOG_LEVEL: 'debug' } });
});
afterAll(async () => {
  await system?.stop();
  await redis?.stop();
});

test('what a process reports is learnt by the others, summed, until it is too old', async () => {
  const demands = (process: string, demand: Record<string, number>, lifeMs = 60_000) =>
    exchangeDemand(redis.store, process, new Map(Object.entries(demand)), lifeMs);
  expect(await demands('a', { shop: 12.5, 'page-2': 1 })).toEqual(new Map());
  expect(await demands('b', { shop: 2 })).toEqual(
    new Map([
      ['shop', 12.5],
      ['page-2', 1],
    ]),
  );
  expect(await demands('c', {})).toEqual(
    new Map([
      ['shop', 14.5],
      ['page-2', 1],
    ]),
  );
  expect(await demands('a', { shop: 1 })).toEqual(new Map([['shop', 2]]));
  await until(async () => (await demands('c', {}, 50)).size === 0, { what: 'the reports to be too old' });
  await until(async () => (await redis.raw.exists(DEMAND_KEY)) === 0, { what: 'the key to be gone' });
});

/** Requests as fast as they are answered, to each process; answers how many of each passed in that time. */
async function flood(urls: readonly string[], ms: number): Promise<number[]> {
  const end = performance.now() + ms;
  return await Promise.all(
    urls.map(async (url) => {
      let passed = 0;
      while (performance.now() < end) {
        const { status, headers: answered } = await call('GET', `${url}/v1/collections`, { headers });
        if (status === 200) passed += 1;
        else expect([status, Number(answered.get('retry-after'))]).toEqual([429, expect.any(Number)]);
      }
      return passed;
    }),
  );
}

test('two processes keep the rate of a key together, each its part', async () => {
  const urls = system.apis.map(({ url }) => url);
  const raw = new Redis(system.redis.url);
  // Once they know of each other, both together let through what one alone may.
  const shares: number[][] = [];
  await until(
    async () => {
      shares.push(await flood(urls, 2_000));
      const total = shares.at(-1)!.reduce((a, b) => a + b, 0);
      return total > 2 * RATE * 0.7 && total < 2 * RATE * 1.3 && Math.min(...shares.at(-1)!) > 2 * RATE * 0.1;
    },
    { what: 'the rate to be shared', timeoutMs: 40_000 },
  );
  expect(await raw.hlen(DEMAND_KEY)).toBe(2);
  expect(await raw.pttl(DEMAND_KEY)).toBeGreaterThan(0);
  raw.disconnect();
});

test('without Redis each process keeps the rate by itself', async () => {
  await system.redis.stop();
  const [url = ''] = system.apis.map((api) => api.url);
  await until(
    async () => {
      const [passed = 0] = await flood([url], 2_000);
      return passed > 2 * RATE * 0.8 && passed < 2 * RATE * 1.3;
    },
    { what: 'the whole rate in one process', timeoutMs: 40_000 },
  );
});

test('the key is in no log', () => {
  for (const api of system.apis) {
    expect(api.output()).toContain('"keys":["shop"]');
    expect(api.output()).not.toContain(token.slice(3, 20));
  }
});

test('a process on an address of the network ends without keys, and says what to do', async () => {
  const api = system.startApi({
    HOST: '0.0.0.0',
    HOLDFAST_CONFIG: join(process.cwd(), 'holdfast.config.json'),
  });
  await expect(api).rejects.toThrow(
    /HOST: other machines can reach 0\.0\.0\.0.*npm run keys.*ALLOW_ANONYMOUS=true/s,
  );
});
