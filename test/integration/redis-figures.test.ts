import { afterAll, beforeAll, expect, test } from 'vitest';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { EpochChanged } from '../../storage/redis/errors.ts';
import { figuresInRedis } from '../../storage/redis/figures.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
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

test('a write is followed from the open batch to its release', async () => {
  const p = await openPartition(redis);
  const figures = () => figuresInRedis(redis.store, p.partition);
  const { freeSlots: all } = await figures();
  const nothing = { pendingEntries: 0, stagedEntries: 0, unsentBatches: 0, offeredBatches: 0, confirmed: [] };
  expect(await figures()).toMatchObject({ ...nothing, oldestStaged: undefined, epoch: p.epoch });

  const { version } = staged(await p.put('a', '1'));
  staged(await p.put('b', '1'));
  const open = await figures();
  expect(open).toMatchObject({ pendingEntries: 2, stagedEntries: 2, unsentBatches: 1, freeSlots: all });
  // The batch knows when it began, not the version of its first write.
  expect(Math.abs((open.oldestStaged ?? 0) - version)).toBeLessThan(1_000_000);
  expect(open.now).toBeGreaterThanOrEqual(version);

  const { batch, slot } = sealed(await p.seal());
  const offered = {
    pendingEntries: 2,
    stagedEntries: 2,
    unsentBatches: 0,
    offeredBatches: 1,
    freeSlots: all - 1,
  };
  expect(await figures()).toMatchObject({ ...offered, oldestStaged: version });

  await confirmBatch(redis.store, batch, slot, 'run-1');
  const confirmed = await figures();
  expect(confirmed).toMatchObject({
    pendingEntries: 2,
    stagedEntries: 0,
    offeredBatches: 0,
    oldestStaged: undefined,
  });
  expect(confirmed.confirmed).toMatchObject([{ batchId: batch.id, slot, runId: 'run-1' }]);
  expect(confirmed.confirmed[0]?.confirmedAt).toBeLessThanOrEqual(confirmed.now);

  const { id: batchId, partition, mutations: entries } = batch;
  await releaseBatch(redis.store, { batchId, partition, entries, setAside: [], outcome: 'persisted' });
  expect(await figures()).toMatchObject({ ...nothing, freeSlots: all });
});

test.each([1, 3, 15, 16, 300])(
  'batches of %i entries that wait for a slot are counted by their heads',
  async (size) => {
    const p = await openPartition(redis);
    const limits = { entries: size, bytes: 1_000_000 };
    let first = 0;
    for (let i = 0; i < 3 * size; i++) {
      const { version } = staged(await p.put(`k${i}`, `"${i}"`, { limits }));
      if (i === 0) first = version;
    }
    const found = await figuresInRedis(redis.store, p.partition);
    expect(found).toMatchObject({ pendingEntries: 3 * size, stagedEntries: 3 * size, unsentBatches: 3 });
    expect(found.oldestStaged).toBe(first);
  },
);

test('a partition that must be recovered says so', async () => {
  const p = await openPartition(redis);
  await redis.raw.del(`hf:{p${String(p.partition).padStart(2, '0')}}:state`);
  await expect(figuresInRedis(redis.store, p.partition)).rejects.toThrow(EpochChanged);
});
