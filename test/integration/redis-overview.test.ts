import { afterAll, beforeAll, expect, test } from 'vitest';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { partitionOverview } from '../../storage/redis/overview.ts';
import {
  openPartition,
  type RedisUnderTest,
  sealed,
  staged,
  startRedisUnderTest,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

test('an overview counts what waits in the open batch, in closed ones, and in Temporal', async () => {
  const p = await openPartition(redis);
  const look = () => partitionOverview(redis.store, p.partition);
  expect(await look()).toMatchObject({
    epoch: p.epoch,
    pendingEntries: 0,
    open: { entries: 0, bytes: 0 },
    closed: [],
    oldestStaged: undefined,
    freeSlots: p.slots,
    sent: [],
  });
  const limits = { entries: 2, bytes: 100_000 };
  const versions: number[] = [];
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    versions.push(staged(await p.put(key, '"x"', { limits })).version);
  }
  const full = await look();
  expect(full).toMatchObject({
    pendingEntries: 5,
    open: { entries: 1 },
    oldestStaged: versions[0],
    sent: [],
  });
  expect(full.closed.map(({ entries }) => entries)).toEqual([2, 2]);
  expect(full.closed.every(({ bytes }) => bytes > 20)).toBe(true);

  const first = sealed(await p.seal());
  expect(await look()).toMatchObject({
    freeSlots: p.slots - 1,
    oldestStaged: versions[0],
    sent: [{ batchId: first.batch.id, slot: first.slot, state: 'sealed' }],
  });
  await confirmBatch(redis.store, first.batch, first.slot, 'run-1');
  expect(await look()).toMatchObject({
    pendingEntries: 5,
    oldestStaged: versions[2],
    sent: [{ batchId: first.batch.id, slot: first.slot, state: 'confirmed', runId: 'run-1' }],
  });
});

test('a batch is counted without being unpacked, however many entries it has', async () => {
  const p = await openPartition(redis);
  for (const entries of [1, 7, 8, 20, 300]) {
    for (let i = 0; i < entries; i += 1) staged(await p.put(`${entries}-${i}`, '1'));
    sealed(await p.seal());
    const { closed } = await partitionOverview(redis.store, p.partition);
    expect(closed.map((batch) => batch.entries)).toContain(entries);
    await redis.raw.hdel(p.keys.closed, closed[0]?.batchId ?? '');
    await redis.raw.rpush(p.keys.free, '9');
  }
});

test('a partition that must be recovered first gives none', async () => {
  const p = await openPartition(redis);
  await redis.raw.del(p.keys.state);
  await expect(partitionOverview(redis.store, p.partition)).rejects.toMatchObject({ name: 'EpochChanged' });
});
