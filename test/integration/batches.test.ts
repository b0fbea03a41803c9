import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { startTemporal, type TemporalTestServer } from '../support/services-temporal.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

async function rowsOf(system: System, key: string): Promise<{ value: unknown; version: string }[]> {
  return (await system.db.query('SELECT value, version FROM documents WHERE key = $1', [key])).rows;
}

describe('batches on their way', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem({ apis: 2, env: { ADOPT_AFTER_MS: '1000' } });
  });
  afterAll(() => system.stop());

  test('a write that an API process left behind when it was killed is persisted by another', async () => {
    const doomed = await system.startApi({ FLUSH_INTERVAL_MS: '60000' });
    const put = await call('PUT', entryUrl(doomed.url, 'carts', 'orphan'), {
      body: 1,
      headers: { prefer: 'durability=cached' },
    });
    expect([put.status, put.json.state]).toEqual([202, 'cached']);
    expect(put.headers.get('preference-applied')).toBe('durability=cached');
    await doomed.kill();
    await until(async () => (await rowsOf(system, 'orphan')).length === 1, { what: 'the row' });
  });

  test('a poison write is set aside with its reason, its neighbours commit, and its entry keeps the row', async () => {
    await system.db.query(
      `ALTER TABLE documents ADD CONSTRAINT poison CHECK (value::text NOT LIKE '%poison%')`,
    );
    const put = (key: string, body: unknown) =>
      call('PUT', entryUrl(system.url, 'carts', key), { body, headers: { prefer: 'durability=persisted' } });
    expect((await put('victim', '"good"')).json.state).toBe('persisted');
    const answers = await Promise.all([
      put('victim', '"poison"'),
      ...Array.from({ length: 40 }, (_, i) => put(`neighbour-${i}`, i)),
    ]);
    const [refused, ...others] = answers;
    expect(new Set(others.map((a) => a.json.state))).toEqual(new Set(['persisted']));
    expect(refused?.status).toBe(400);
    expect(refused?.json.detail).toMatch(/dead letters/);
    const { rows } = await system.db.query(
      'SELECT collection, key, value, sqlstate, message FROM dead_letters',
    );
    expect(rows).toEqual([
      {
        collection: 'carts',
        key: 'victim',
        value: '"poison"',
        sqlstate: '23514',
        message: expect.stringContaining('poison'),
      },
    ]);
    for (const api of system.apis) {
      await until(async () => (await call('GET', entryUrl(api.url, 'carts', 'victim'))).text === '"good"', {
        what: 'the former value',
      });
    }
  });

  test('both API processes give the same answers, whoever took the write', async () => {
    const [a, b] = system.apis.map((api) => entryUrl(api.url, 'carts', 'shared'));
    for (let i = 0; i < 20; i++) {
      const [writer, reader] = i % 2 === 0 ? [a!, b!] : [b!, a!];
      const put = await call('PUT', writer, { body: i, headers: { prefer: 'durability=cached' } });
      const got = await call('GET', reader);
      expect([got.text, got.headers.get('etag')]).toEqual([String(i), put.headers.get('etag')]);
    }
  });

  test('of many conditional writes at once, over two processes, exactly one wins each round', async () => {
    const urls = system.apis.map((api) => entryUrl(api.url, 'carts', 'contested'));
    let version = (await call('PUT', urls[0]!, { body: 0 })).headers.get('etag') as string;
    for (let round = 1; round <= 5; round++) {
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, i) =>
          call('PUT', urls[i % 2]!, {
            body: { round, i },
            headers: { 'if-match': version, prefer: 'durability=cached' },
          }),
        ),
      );
      const won = answers.filter((a) => a.status === 202);
      expect(won).toHaveLength(1);
      version = won[0]!.headers.get('etag') as string;
      for (const lost of answers.filter((a) => a.status !== 202)) {
        expect([lost.status, lost.json.code]).toEqual([412, 'precondition-failed']);
      }
    }
  });

  test('orders written through two processes at once end with the row and every cache at the same version', async () => {
    const urls = system.apis.map((api) => entryUrl(api.url, 'orders', 'hot'));
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => call('PUT', urls[i % 2]!, { body: i })),
    );
    const persisted = answers.filter((a) => a.json.state === 'persisted');
    expect(persisted.length).toBeGreaterThan(0);
    const highest = Math.max(...persisted.map((a) => a.json.version));
    const { rows } = await system.db.query(`SELECT version, value::text FROM documents WHERE key = 'hot'`);
    expect(Number(rows[0].version)).toBe(highest);
    for (const url of urls) expect((await call('GET', url)).text).toBe(rows[0].value);
  });
});

describe('without Temporal', () => {
  let temporal: TemporalTestServer;
  let system: System;
  beforeAll(async () => {
    temporal = await startTemporal();
    system = await startSystem({
      temporalAddress: temporal.address,
      env: { DIRECT_PERSIST_AFTER_MS: '500' },
    });
    expect((await call('PUT', entryUrl(system.url, 'carts', 'before'), { body: 0 })).status).toBeLessThan(
      300,
    );
  });
  afterAll(async () => {
    await system.stop();
    await temporal.stop();
  });

  test('a cart is persisted directly and says so; orders are unaffected; and when Temporal is back, carts are queued again', async () => {
    await temporal.kill();
    const put = await call('PUT', entryUrl(system.url, 'carts', 'direct'), { body: 1 });
    expect([put.status, put.json.state]).toEqual([200, 'persisted']);
    expect(await rowsOf(system, 'direct')).toEqual([{ value: 1, version: String(put.json.version) }]);
    const order = await call('PUT', entryUrl(system.url, 'orders', 'o'), { body: 1 });
    expect(order.json.state).toBe('persisted');
    await temporal.start();
    await until(
      async () =>
        (await call('PUT', entryUrl(system.url, 'carts', 'after'), { body: 2 })).json.state === 'queued',
      { what: 'a queued write', timeoutMs: 30_000 },
    );
    await until(async () => (await rowsOf(system, 'after')).length === 1, {
      what: 'its row',
      timeoutMs: 30_000,
    });
  });
});
