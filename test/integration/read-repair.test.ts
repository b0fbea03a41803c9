import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { temporaryFolder } from '../support/services.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

let system: System;
let redis: Redis;
let count = 0;

beforeAll(async () => {
  system = await startSystem({ apis: 2, workers: 0, redis: { settings: ['--save', '3600 1'] } });
  redis = new Redis(system.redis.url);
  redis.on('error', () => {});
});
afterAll(async () => {
  redis.disconnect();
  await system.stop();
});

/** Puts a cart that Temporal has and PostgreSQL has not: no worker runs. */
async function putQueued(): Promise<{ key: string; value: string; version: number }> {
  const key = `cart-${++count}`;
  const value = `{"n": ${count}, "big": 12345678901234567890}`;
  const put = await call('PUT', entryUrl(system.url, 'carts', key), { body: value });
  expect([put.status, put.json.state]).toEqual([202, 'queued']);
  return { key, value, version: put.json.version };
}

/** From both API processes: the value, and an explanation that names the pending batch. */
async function expectEverywhere(cart: { key: string; value: string; version: number }): Promise<void> {
  for (const api of system.apis) {
    const got = await call('GET', entryUrl(api.url, 'carts', cart.key));
    expect([got.status, got.text, got.headers.get('etag')]).toEqual([200, cart.value, `"${cart.version}"`]);
    const { json } = await call('GET', `${entryUrl(api.url, 'carts', cart.key)}/explanation`);
    expect(json.pending).toMatchObject({ version: cart.version, where: 'temporal' });
    expect(json.pending.workflowId).toMatch(/^write-behind:p\d\d:s\d\d$/);
    expect(json.row).toBeNull();
  }
  const { rows } = await system.db.query('SELECT 1 FROM documents WHERE key = $1', [cart.key]);
  expect(rows).toEqual([]);
}

describe('with no worker, a read still sees what waits in Temporal', () => {
  test('after its cached copy was deleted', async () => {
    const cart = await putQueued();
    expect(await redis.del(`hf:{p00}:e:carts/${cart.key}`)).toBe(1);
    await expectEverywhere(cart);
  });

  test('after FLUSHALL', async () => {
    const cart = await putQueued();
    await redis.flushall();
    await expectEverywhere(cart);
  });

  test('after kill -9 and a restart of Redis with an empty data set', async () => {
    const cart = await putQueued();
    await system.redis.restart({ keepData: false });
    await expectEverywhere(cart);
  });

  test('after kill -9 and a restart of Redis with an older data set', async () => {
    const older = await putQueued();
    await redis.save();
    const snapshot = temporaryFolder('snapshot');
    cpSync(join(system.redis.dir, 'dump.rdb'), join(snapshot, 'dump.rdb'));
    const key = older.key;
    const newer = await call('PUT', entryUrl(system.url, 'carts', key), { body: '"newer"' });
    expect(newer.json.state).toBe('queued');
    const cart = await putQueued();
    await system.redis.kill();
    cpSync(join(snapshot, 'dump.rdb'), join(system.redis.dir, 'dump.rdb'));
    await system.redis.restart();
    await expectEverywhere({ key, value: '"newer"', version: newer.json.version });
    await expectEverywhere(cart);
    // A new write is above everything that was forgotten.
    const next = await call('PUT', entryUrl(system.apis[1]!.url, 'carts', key), { body: '"next"' });
    expect(next.json.version).toBeGreaterThan(newer.json.version);
  });

  test('and once a worker runs, every row follows', async () => {
    await system.startWorker();
    await until(
      async () => {
        const { rows } = await system.db.query(`SELECT key, value::text FROM documents ORDER BY key`);
        return rows.length === count && rows.some((row) => row.value === '"next"');
      },
      { what: 'all rows', timeoutMs: 30_000 },
    );
    const pending = await until(async () => (await redis.hlen('hf:{p00}:index')) === 0 || undefined, {
      what: 'the pending index to empty',
    });
    expect(pending).toBe(true);
  });
});
