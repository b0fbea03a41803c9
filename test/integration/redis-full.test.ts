import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

describe.each(['noeviction', 'volatile-lru'])('Redis at its memory limit, maxmemory-policy %s', (policy) => {
  let system: System;
  let raw: Redis;
  const order = (key: string) => entryUrl(system.url, 'orders', key);
  const cart = (key: string) => entryUrl(system.url, 'carts', key);
  beforeAll(async () => {
    system = await startSystem({ redis: { settings: ['--maxmemory-policy', policy] } });
    raw = new Redis(system.redis.url);
    await call('PUT', order('known'), { body: '"before"' });
    await call('PUT', cart('known'), { body: '"before"', headers: { prefer: 'durability=persisted' } });
    await raw.config('SET', 'maxmemory', '500kb');
  });
  afterAll(async () => {
    raw.disconnect();
    await system.stop();
  });

  test('write-through goes on, and is read', async () => {
    for (const key of ['known', 'new']) {
      for (const value of ['"one"', '"two"']) {
        const put = await call('PUT', order(key), { body: value });
        expect([put.status, put.json.state], put.text).toEqual([
          value === '"one"' && key === 'new' ? 201 : 200,
          'persisted',
        ]);
        expect((await call('GET', order(key))).text).toBe(value);
      }
    }
    expect((await call('DELETE', order('new'))).json.state).toBe('persisted');
    expect((await call('GET', order('new'))).status).toBe(404);
    // Nothing is left of them: no block, no copy.
    expect(await raw.keys('hf:{p00}:blocks')).toEqual([]);
    expect(await raw.keys('hf:{p00}:e:orders/*')).toEqual([]);
  });

  test('write-behind is refused and says why; reads are served', async () => {
    for (const refused of [
      await call('PUT', cart('known'), { body: '"after"' }),
      await call('POST', `${entryUrl(system.url, 'page-views', 'p')}/increment`),
    ]) {
      expect([refused.status, refused.json.code, refused.json.dependency]).toEqual([
        503,
        'dependency-unavailable',
        'redis',
      ]);
      expect(refused.json.detail).toMatch(/memory limit.*did not happen.*nothing accepted earlier is lost/);
      expect(refused.headers.get('retry-after')).toBe('5');
    }
    expect((await call('GET', cart('known'))).text).toBe('"before"');
    expect((await call('GET', cart('unknown'))).status).toBe(404);
  });

  test('once there is room again, everything works, from the cache too', async () => {
    await raw.config('SET', 'maxmemory', '0');
    const put = await call('PUT', cart('known'), {
      body: '"after"',
      headers: { prefer: 'durability=persisted' },
    });
    expect(put.json.state).toBe('persisted');
    expect((await call('PUT', order('known'), { body: '"after"' })).json.state).toBe('persisted');
    for (const url of [cart('known'), order('known')]) {
      const got = await call('GET', url);
      expect([got.text, got.headers.get('cache-status')]).toEqual([
        '"after"',
        expect.stringMatching(/^Holdfast; hit/),
      ]);
    }
    expect((await call('POST', `${entryUrl(system.url, 'page-views', 'p')}/increment`)).json.value).toBe(1);
  });
});
