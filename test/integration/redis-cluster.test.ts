import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { fill } from '../../storage/redis/lookup.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { adoptBatch, reslotBatch } from '../../storage/redis/seal.ts';
import { sweepPage } from '../../storage/redis/sweep.ts';
import { createTogether } from '../../storage/redis/together.ts';
import { settleEntry, voidEntry } from '../../storage/redis/write-through.ts';
import {
  entriesOf,
  openPartition,
  type RedisUnderTest,
  sealed,
  staged,
  startRedisUnderTest,
  token,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
/** Keys of every call, as the cluster would see them. */
const calls: (readonly string[])[] = [];
beforeAll(async () => {
  const one = await startRedisUnderTest({ settings: ['--cluster-enabled', 'yes'] });
  await one.raw.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until(async () => String(await one.raw.call('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
    what: 'the cluster',
  });
  const run: RedisUnderTest['store']['run'] = (name, keys, args) => {
    calls.push(keys);
    return one.store.run(name, keys, args);
  };
  redis = { ...one, store: { ...one.store, run, together: createTogether(run) } };
});
afterAll(() => redis.stop());

test('all scripts run in a Redis Cluster: their keys lie in one slot', async () => {
  const p = await openPartition(redis);
  const limits = { entries: 1, bytes: 10_000 };
  staged(await p.put('a', '1', { limits }));
  staged(await p.put('b{x}', '2', { limits }));
  staged(await p.setCounter('c', '1'));
  expect(staged(await p.add('c', 1)).value).toBe(2);
  expect(await p.look('a')).toMatchObject({ outcome: 'hit' });
  const one = sealed(await p.seal());
  expect(await adoptBatch(redis.store, { ...p, olderThanMs: 0 })).toBeDefined();
  expect(await reslotBatch(redis.store, one.batch, one.slot)).toEqual({ slot: 1 });
  await confirmBatch(redis.store, one.batch, 1, 'run-1');
  await p.expire('docs/a');
  expect(await p.look('a', { token: 'mine' })).toMatchObject({
    lease: 'mine',
    pending: { where: 'temporal', slot: 1, runId: 'run-1' },
  });
  const a = { collection: 'docs', key: 'a' };
  const cached = { ...p, lease: 'mine', kind: 'document', ttlMs: 60_000 } as const;
  expect(await fill(redis.store, a, { version: 2, value: '1' }, cached)).toBe(true);
  const ticket = await voidEntry(redis.store, a, {
    ...p,
    notAfter: () => Number.MAX_SAFE_INTEGER,
    token: token(),
    blockMs: 60_000,
  });
  const written = { ...p, kind: 'document', value: '3', ttlMs: 60_000, committed: true } as const;
  expect(await settleEntry(redis.store, a, ticket!, written)).toBe('set');
  const page = await sweepPage(redis.store, { ...p, olderThanMs: 0, cursor: '0' });
  expect(page).toMatchObject({ confirmed: [{ batchId: one.batch.id }], dangling: [] });
  await releaseBatch(redis.store, {
    ...p,
    batchId: one.batch.id,
    entries: entriesOf(one.batch),
    setAside: [],
    outcome: 'persisted',
  });
  const two = sealed(await p.seal());
  expect(two.batch.mutations.map((each) => each.key)).toEqual(['b{x}', 'c']);

  for (const keys of calls) {
    const slots = new Set(await Promise.all(keys.map((key) => redis.raw.call('CLUSTER', 'KEYSLOT', key))));
    expect(slots.size).toBe(1);
  }
});
