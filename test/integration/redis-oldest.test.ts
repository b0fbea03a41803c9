import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { oldestInRedis } from '../../storage/redis/oldest.ts';
import {
  openPartition,
  type RedisUnderTest,
  recoverPartition,
  redisTime,
  sealed,
  staged,
  startRedisUnderTest,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

describe('the oldest pending version of a partition', () => {
  test('is that of the open batch where no other waits', async () => {
    const p = await openPartition(redis);
    expect((await oldestInRedis(redis.store, p.partition)).pending).toBeUndefined();
    const { version } = staged(await p.put('a', '1'));
    staged(await p.put('b', '1'));
    expect((await oldestInRedis(redis.store, p.partition)).pending).toBe(version);
  });

  test('counts what was replaced in its batch no more', async () => {
    const p = await openPartition(redis);
    staged(await p.put('a', '1'));
    const { version } = staged(await p.put('b', '1'));
    staged(await p.put('a', '2'));
    expect((await oldestInRedis(redis.store, p.partition)).pending).toBe(version);
  });

  test('may be of a closed batch, sealed or waiting for a slot, until Temporal has it', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 1, bytes: 100_000 };
    const versions: number[] = [];
    for (const key of ['sealed', 'queued', 'open']) {
      versions.push(staged(await p.put(key, '1', { limits })).version);
    }
    const { batch, slot } = sealed(await p.seal());
    const oldest = async () => (await oldestInRedis(redis.store, p.partition)).pending;
    expect(await oldest()).toBe(versions[0]);
    await confirmBatch(redis.store, batch, slot, 'run');
    expect(await oldest()).toBe(versions[1]);
    const next = sealed(await p.seal());
    expect(await oldest()).toBe(versions[1]);
    await confirmBatch(redis.store, next.batch, next.slot, 'run');
    expect(await oldest()).toBe(versions[2]);
  });
});

describe('the clock of a partition', () => {
  test('is at or above the time, also where nobody writes, and every later version is above it', async () => {
    const p = await openPartition(redis);
    const before = await redisTime(redis.raw);
    const { clock } = await oldestInRedis(redis.store, p.partition);
    expect(clock).toBeGreaterThanOrEqual(before);
    expect(staged(await p.put('a', '1')).version).toBeGreaterThan(clock);
  });

  test('stays where it is ahead of the time', async () => {
    const ahead = (await redisTime(redis.raw)) + 60_000_001;
    const p = await openPartition(redis, { clock: ahead });
    expect((await oldestInRedis(redis.store, p.partition)).clock).toBe(ahead);
    expect(staged(await p.put('a', '1')).version).toBeGreaterThan(ahead);
  });

  test('is kept when Redis is set back: a time that was answered once holds', async () => {
    const p = await openPartition(redis);
    const { clock } = await oldestInRedis(redis.store, p.partition);
    expect(await redis.raw.hget(p.keys.state, 'clock')).toBe(String(clock));
  });
});

describe('a partition that must be recovered first gives neither, and is left as it is', () => {
  test.each<[string, (state: string) => Promise<unknown>]>([
    ['of another Redis process', (state) => redis.raw.hset(state, 'run_id', '0'.repeat(40))],
    ['without a state', (state) => redis.raw.del(state)],
  ])('%s', async (_what, spoil) => {
    const p = await openPartition(redis);
    staged(await p.put('a', '1'));
    await spoil(p.keys.state);
    const before = await p.dump();
    await expect(oldestInRedis(redis.store, p.partition)).rejects.toMatchObject({
      name: 'EpochChanged',
      current: '',
    });
    expect(await p.dump()).toEqual(before);
  });
});

test('what survived a recovery is pending as before', async () => {
  const p = await openPartition(redis);
  const { version } = staged(await p.put('a', '1'));
  await recoverPartition(redis.store, p.partition);
  expect((await oldestInRedis(redis.store, p.partition)).pending).toBe(version);
});

test('a full Redis answers all the same', async () => {
  const p = await openPartition(redis);
  const { version } = staged(await p.put('a', '1'));
  await redis.raw.config('SET', 'maxmemory', '500kb');
  try {
    expect((await oldestInRedis(redis.store, p.partition)).pending).toBe(version);
  } finally {
    await redis.raw.config('SET', 'maxmemory', '0');
  }
});
