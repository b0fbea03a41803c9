import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

describe('without Redis', () => {
  let system: System;
  let order: string;
  let cart: string;
  beforeAll(async () => {
    // Less time than a statement may take: the deadline of the commit is then what is left of the request.
    system = await startSystem({ apis: 2, env: { CLOCK_TOLERANCE_MS: '100', REQUEST_DEADLINE_MS: '4000' } });
    order = entryUrl(system.url, 'orders', 'o');
    cart = entryUrl(system.url, 'carts', 'c');
    await call('PUT', order, { body: 1 });
    await call('PUT', cart, { body: 1, headers: { prefer: 'durability=persisted' } });
    await call('GET', order);
    await system.redis.kill();
  });
  afterAll(() => system.stop());

  test('documents of both modes are persisted directly, above what was there', async () => {
    for (const url of [order, cart]) {
      const before = await call('GET', url);
      expect([before.status, before.text]).toEqual([200, '1']);
      const put = await call('PUT', url, { body: 2 });
      expect([put.status, put.json.state], put.text).toEqual([200, 'persisted']);
      expect(put.json.version % 2).toBe(1);
      const { rows } = await system.db.query('SELECT version, value FROM documents WHERE key = $1', [
        put.json.key,
      ]);
      expect(rows).toEqual([{ version: String(put.json.version), value: 2 }]);
      // From any process, also the one that did not write.
      for (const api of system.apis) {
        const got = await call('GET', entryUrl(api.url, put.json.collection, put.json.key));
        expect([got.text, got.headers.get('etag')]).toEqual(['2', `"${put.json.version}"`]);
        expect(got.headers.get('cache-status')).toBe('Holdfast; fwd=bypass; detail=degraded');
      }
    }
  });

  test('a condition of an order holds against its row; one of a cart is refused, and so are counters', async () => {
    const now = await call('GET', order);
    const wrong = await call('PUT', order, { body: 3, headers: { 'if-match': '"2"' } });
    expect([wrong.status, wrong.json.code]).toEqual([412, 'precondition-failed']);
    const right = await call('PUT', order, {
      body: 3,
      headers: { 'if-match': now.headers.get('etag') ?? '' },
    });
    expect(right.json.state).toBe('persisted');
    for (const refused of [
      await call('PUT', cart, { body: 3, headers: { 'if-match': '"2"' } }),
      await call('POST', `${entryUrl(system.url, 'page-views', 'p')}/increment`),
    ]) {
      expect([refused.status, refused.json.code, refused.json.dependency]).toEqual([
        503,
        'dependency-unavailable',
        'redis',
      ]);
      expect(refused.headers.get('retry-after')).not.toBeNull();
    }
  });

  test('when it is back, with its memory or without, everything goes on, and new versions are above', async () => {
    const before = await call('GET', cart);
    await system.redis.restart({ keepData: false });
    const put = await until(
      async () => {
        const answer = await call('PUT', cart, { body: 4 });
        return answer.json.version % 2 === 0 ? answer : undefined;
      },
      { what: 'a write through Redis', timeoutMs: 30_000 },
    );
    expect(`"${put.json.version}"` > (before.headers.get('etag') ?? '')).toBe(true);
    for (const api of system.apis) {
      expect((await call('GET', entryUrl(api.url, 'carts', 'c'))).text).toBe('4');
      expect((await call('GET', entryUrl(api.url, 'orders', 'o'))).text).toBe('3');
    }
  });
});

describe('one process alone is cut off from Redis', () => {
  let system: System;
  let proxy: TcpProxy;
  let cutOff: string;
  beforeAll(async () => {
    system = await startSystem({ env: { CLOCK_TOLERANCE_MS: '100', POSTGRES_TIMEOUT_MS: '1000' } });
    proxy = await startTcpProxy({ port: system.redis.port });
    cutOff = (await system.startApi({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` })).url;
  });
  afterAll(async () => {
    await proxy.close();
    await system.stop();
  });

  test('what it writes meanwhile reaches the caches of the others', async () => {
    for (const collection of ['orders', 'carts']) {
      const url = entryUrl(system.url, collection, 'shared');
      await call('PUT', url, { body: '"old"' });
      expect((await call('GET', url)).text).toBe('"old"');
      proxy.refuse(true);
      const put = await until(
        async () => {
          const answer = await call('PUT', entryUrl(cutOff, collection, 'shared'), { body: '"new"' });
          return answer.json.state === 'persisted' ? answer : undefined;
        },
        { what: 'a direct write', timeoutMs: 20_000 },
      );
      expect(put.json.version % 2).toBe(1);
      expect((await call('GET', entryUrl(cutOff, collection, 'shared'))).text).toBe('"new"');
      await until(async () => (await call('GET', url)).text === '"new"', {
        what: 'the durable invalidation',
        timeoutMs: 20_000,
      });
      proxy.refuse(false);
      const next = await call('PUT', url, { body: '"next"' });
      expect(next.json.version).toBeGreaterThan(put.json.version);
      await until(async () => (await call('GET', entryUrl(cutOff, collection, 'shared'))).text === '"next"', {
        what: 'the process to be back',
      });
    }
  });
});

describe('Redis hangs, and wakes with all it had', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ apis: 2, env: { CLOCK_TOLERANCE_MS: '100', REDIS_TIMEOUT_MS: '500' } });
  });
  afterAll(() => system.stop());

  test('no process that noticed serves its old copy of what was written meanwhile', async () => {
    const [one, other] = system.apis.map((api) => (collection: string) => entryUrl(api.url, collection, 'k'));
    for (const collection of ['orders', 'carts']) {
      await call('PUT', one!(collection), { body: '"old"' });
      expect((await call('GET', other!(collection))).text).toBe('"old"');
      process.kill(system.redis.pid, 'SIGSTOP');
      try {
        await until(
          async () => (await call('PUT', one!(collection), { body: '"new"' })).json.state === 'persisted',
          { what: 'a direct write', timeoutMs: 20_000 },
        );
        await until(
          async () =>
            (await call('GET', other!(collection))).headers.get('cache-status')?.includes('degraded'),
          { what: 'the other process to notice', timeoutMs: 20_000 },
        );
      } finally {
        process.kill(system.redis.pid, 'SIGCONT');
      }
      for (let i = 0; i < 50; i++) {
        expect((await call('GET', other!(collection))).text).toBe('"new"');
        expect((await call('GET', one!(collection))).text).toBe('"new"');
      }
    }
  });
});
