import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { batchId } from '../../domain/batch.ts';
import { batchProgress, confirmBatch } from '../../storage/redis/confirm.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { adoptBatch, reslotBatch, type SealedBatch } from '../../storage/redis/seal.ts';
import {
  contentOf,
  listenToEvents,
  openPartition,
  type RedisUnderTest,
  redisTime,
  sealed,
  staged,
  startRedisUnderTest,
  type TestPartition,
} from '../support/redis-partition.ts';

const HOUR_MS = 3_600_000;
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

/** Stages one entry and seals it. */
async function sealOne(p: TestPartition, key: string): Promise<SealedBatch> {
  staged(await p.put(key, '1'));
  return sealed(await p.seal());
}

const adopt = (p: TestPartition, olderThanMs: number) =>
  adoptBatch(redis.store, { partition: p.partition, epoch: p.epoch, olderThanMs });
const progress = (p: TestPartition, ...numbers: number[]) =>
  batchProgress(
    redis.store,
    p.partition,
    p.epoch,
    numbers.map((n) => batchId(p.epoch, p.partition, n)),
  );
const free = (p: TestPartition) => redis.raw.lrange(p.keys.free, 0, -1);
/** As if the offer had been noted at that time. */
async function offeredAt(p: TestPartition, { batch, slot }: SealedBatch, at: number): Promise<void> {
  await redis.raw.hset(p.keys.sent, batch.id, `${slot} sealed ${at}`);
}

describe('sealing', () => {
  test('takes the oldest batch first and the next number for later writes', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 1, bytes: 10_000 };
    for (const key of ['a', 'b', 'c']) await p.put(key, `"${key}"`, { limits });
    const found = [];
    for (let i = 0; i < 3; i += 1) found.push(sealed(await p.seal()).batch);
    expect(found.map(contentOf)).toEqual([{ 'docs/a': '"a"' }, { 'docs/b': '"b"' }, { 'docs/c': '"c"' }]);
    expect(found.map((batch) => batch.id)).toEqual([0, 1, 2].map((n) => batchId(p.epoch, p.partition, n)));
    expect(staged(await p.put('d', '1')).batchId).toBe(batchId(p.epoch, p.partition, 3));
    expect(await p.seal()).toMatchObject({ outcome: 'sealed' });
    expect(await p.seal()).toEqual({ outcome: 'none' });
  });

  test('finds nothing where nothing is staged', async () => {
    const p = await openPartition(redis);
    expect(await p.seal()).toEqual({ outcome: 'none' });
  });

  test('gives each batch once, whoever asks', async () => {
    const p = await openPartition(redis, { slots: 32 });
    const limits = { entries: 2, bytes: 10_000 };
    for (let i = 0; i < 20; i += 1) await p.put(`k${i}`, '1', { limits });
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => p.seal()));
    const found = outcomes.filter((one) => one.outcome === 'sealed').map(sealed);
    expect(found).toHaveLength(10);
    expect(new Set(found.map((one) => one.batch.id)).size).toBe(10);
    expect(new Set(found.map((one) => one.slot)).size).toBe(10);
  });

  test('never changes a batch again: later writes of its entries go to the next', async () => {
    const p = await openPartition(redis);
    const { batch, slot } = await sealOne(p, 'a');
    expect(staged(await p.put('a', '"later"')).batchId).not.toBe(batch.id);
    await offeredAt(p, { batch, slot, offeredAt: 0 }, 0);
    expect((await adopt(p, 0))?.batch).toEqual(batch);
  });

  test('takes the slot that has been free longest, and answers full without one', async () => {
    const p = await openPartition(redis, { slots: 3 });
    const found = [await sealOne(p, 'a'), await sealOne(p, 'b'), await sealOne(p, 'c')];
    expect(found.map((one) => one.slot)).toEqual([0, 1, 2]);
    staged(await p.put('d', '1'));
    const before = await p.dump();
    expect(await p.seal()).toEqual({ outcome: 'full' });
    expect(await p.dump()).toEqual(before);
    for (const at of [2, 0]) await release(found[at]!);
    expect(sealed(await p.seal()).slot).toBe(2);
    expect((await sealOne(p, 'e')).slot).toBe(0);
  });

  test('reads a large batch back as it was written', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 2_000, bytes: 4_000_000 };
    const value = JSON.stringify({ ü: 'x'.repeat(180), n: 12345678901234567890n.toString() });
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => p.put(`key ${i}`, value, { limits })));
    const { batch } = sealed(await p.seal());
    expect(batch.mutations).toHaveLength(2_000);
    expect(new Set(batch.mutations.map((one) => one.value))).toEqual(new Set([value]));
    expect(new Set(batch.mutations.map((one) => one.key)).size).toBe(2_000);
  });
});

async function release({ batch }: SealedBatch): Promise<void> {
  await releaseBatch(redis.store, {
    batchId: batch.id,
    partition: batch.partition,
    entries: batch.mutations,
    setAside: [],
    outcome: 'persisted',
  });
}

describe('gathering', () => {
  const waitOf = async (p: TestPartition, gatherMinMs = 0, gatherMaxMs = HOUR_MS) => {
    const outcome = await p.seal({ gatherMinMs, gatherMaxMs });
    return outcome.outcome === 'wait' ? outcome.ms : outcome.outcome;
  };
  /** As if the open batch had begun then. */
  const begun = async (p: TestPartition, ageMs: number) => {
    await redis.raw.hset(p.keys.state, 'since', (await redisTime(redis.raw)) - ageMs * 1_000);
  };

  test('does not hold up a batch while slots abound', async () => {
    const p = await openPartition(redis, { slots: 32 });
    for (const key of ['a', 'b', 'c', 'd']) {
      await p.put(key, '1');
      expect(await waitOf(p)).toBe('sealed');
    }
  });

  test('lasts at least as long as asked', async () => {
    const p = await openPartition(redis, { slots: 32 });
    await p.put('a', '1');
    const wait = await waitOf(p, HOUR_MS);
    expect(wait).toBeGreaterThan(HOUR_MS - 60_000);
    expect(wait).toBeLessThanOrEqual(HOUR_MS);
    await begun(p, HOUR_MS);
    expect(await waitOf(p, HOUR_MS)).toBe('sealed');
  });

  test('grows with the slots in use, up to half the longest; the last half waits the longest', async () => {
    const p = await openPartition(redis, { slots: 16 });
    // 5 ms, then twice as long with every slot.
    const expected = [0, 0, 5, 10, 20, 40, 80, 160, ...Array<number>(8).fill(HOUR_MS)];
    for (const [used, gather] of expected.entries()) {
      await p.put(`k${used}`, '1');
      const since = await redisTime(redis.raw);
      await redis.raw.hset(p.keys.state, 'since', since);
      const wait = await waitOf(p);
      const elapsed = ((await redisTime(redis.raw)) - since) / 1_000;
      if (wait === 'sealed') expect(gather).toBeLessThanOrEqual(elapsed);
      else {
        expect(wait).toBeLessThanOrEqual(gather);
        expect(wait).toBeGreaterThanOrEqual(gather - elapsed);
        await begun(p, HOUR_MS);
        expect(await waitOf(p)).toBe('sealed');
      }
    }
  });

  test('never waits longer than half the longest in the first half', async () => {
    const p = await openPartition(redis, { slots: 64 });
    for (let used = 0; used < 30; used += 1) await sealOne(p, `k${used}`);
    await p.put('a', '1');
    const wait = await waitOf(p, 0, 100_000);
    expect(wait).toBeGreaterThan(40_000);
    expect(wait).toBeLessThanOrEqual(50_000);
  });

  test('does not apply to full batches', async () => {
    const p = await openPartition(redis, { slots: 2 });
    await sealOne(p, 'a');
    const limits = { entries: 1, bytes: 10_000 };
    await p.put('b', '1', { limits });
    expect(await waitOf(p)).toEqual(expect.any(Number));
    await p.put('c', '1', { limits });
    expect(contentOf(sealed(await p.seal({ gatherMaxMs: HOUR_MS })).batch)).toEqual({ 'docs/b': '1' });
  });

  test('ends where the clock was set back: an age below zero means nothing', async () => {
    const p = await openPartition(redis, { slots: 2 });
    await sealOne(p, 'a');
    await p.put('b', '1');
    await begun(p, -HOUR_MS);
    expect(await waitOf(p, HOUR_MS)).toBe('sealed');
  });

  test('counts from the first write of a batch', async () => {
    const p = await openPartition(redis, { slots: 2 });
    await p.put('a', '1');
    await begun(p, HOUR_MS);
    await p.put('b', '1');
    await p.put('a', '2');
    expect(await waitOf(p, HOUR_MS)).toBe('sealed');
    await p.put('c', '1');
    expect(await waitOf(p, HOUR_MS)).toEqual(expect.any(Number));
  });
});

describe('adopting', () => {
  test('finds nothing that was offered just now, confirmed, or never offered', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    expect(await adopt(p, 0)).toBeUndefined();
    const one = sealed(await p.seal());
    expect(await adopt(p, HOUR_MS)).toBeUndefined();
    await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    expect(await adopt(p, 0)).toBeUndefined();
  });

  test('gives the same batch in the same slot, once', async () => {
    const p = await openPartition(redis);
    const one = await sealOne(p, 'a');
    await offeredAt(p, one, one.offeredAt - 10_000_000);
    const [again, none] = [await adopt(p, 5_000), await adopt(p, 5_000)];
    expect(again).toEqual({ ...one, offeredAt: again?.offeredAt });
    expect(again!.offeredAt).toBeGreaterThanOrEqual(one.offeredAt);
    expect(none).toBeUndefined();
  });

  test('takes the oldest offer first', async () => {
    const p = await openPartition(redis);
    const found = [await sealOne(p, 'a'), await sealOne(p, 'b'), await sealOne(p, 'c')];
    const now = await redisTime(redis.raw);
    for (const [at, age] of [
      [0, 20],
      [1, 30],
      [2, 10],
    ] as const)
      await offeredAt(p, found[at]!, now - age * 1_000_000);
    const order = [];
    for (let i = 0; i < 3; i += 1) order.push((await adopt(p, 5_000))?.batch.id);
    expect(order).toEqual([1, 0, 2].map((at) => found[at]!.batch.id));
  });

  test('finds offers noted before the clock was set back, while others are offered all the time', async () => {
    const p = await openPartition(redis);
    const lost = await sealOne(p, 'a');
    await offeredAt(p, lost, (await redisTime(redis.raw)) + 3_600_000_000);
    await sealOne(p, 'b');
    expect((await adopt(p, HOUR_MS))?.batch.id).toBe(lost.batch.id);
    expect(await adopt(p, HOUR_MS)).toBeUndefined();
  });
});

describe('another slot', () => {
  test('is the one that has been free longest; the taken one goes to the end of the free list', async () => {
    const p = await openPartition(redis);
    const { batch, slot } = await sealOne(p, 'a');
    expect(await reslotBatch(redis.store, batch, slot)).toEqual({ slot: 1 });
    expect(await free(p)).toEqual(['2', '3', '0']);
    await offeredAt(p, { batch, slot: 1, offeredAt: 0 }, 0);
    expect(await adopt(p, 0)).toMatchObject({ batch, slot: 1 });
  });

  test('is the same for two processes that found the old one taken', async () => {
    const p = await openPartition(redis);
    const { batch, slot } = await sealOne(p, 'a');
    const both = await Promise.all([
      reslotBatch(redis.store, batch, slot),
      reslotBatch(redis.store, batch, slot),
    ]);
    expect(both).toEqual([{ slot: 1 }, { slot: 1 }]);
  });

  test('does not free a slot that another batch names', async () => {
    const p = await openPartition(redis);
    const [one, two] = [await sealOne(p, 'a'), await sealOne(p, 'b')];
    await confirmBatch(redis.store, two.batch, one.slot, 'run-2');
    expect(await free(p)).toEqual(['2', '3', '1']);
    expect(await reslotBatch(redis.store, one.batch, one.slot)).toEqual({ slot: 2 });
    expect(await free(p)).toEqual(['3', '1']);
  });

  test('cannot be had without a free one; nothing changes', async () => {
    const p = await openPartition(redis, { slots: 2 });
    const one = await sealOne(p, 'a');
    await sealOne(p, 'b');
    const before = await p.dump();
    expect(await reslotBatch(redis.store, one.batch, one.slot)).toBe('full');
    expect(await p.dump()).toEqual(before);
  });

  test('is not given to a batch that was confirmed or released', async () => {
    const p = await openPartition(redis);
    const [one, two] = [await sealOne(p, 'a'), await sealOne(p, 'b')];
    await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    await release(two);
    const before = await p.dump();
    for (const { batch, slot } of [one, two])
      expect(await reslotBatch(redis.store, batch, slot)).toBe('gone');
    expect(await p.dump()).toEqual(before);
  });
});

describe('a confirmation', () => {
  test('takes the content out of Redis, keeps the index, notes slot and run, and tells', async () => {
    const p = await openPartition(redis);
    const events = await listenToEvents(redis.server.url);
    const { batch, slot } = await sealOne(p, 'a');
    await confirmBatch(redis.store, batch, slot, 'run-1');
    expect(await redis.raw.exists(p.keys.closed)).toBe(0);
    expect(await redis.raw.hgetall(p.keys.index)).toEqual({ 'docs/a': batch.id });
    expect(await redis.raw.hget(p.keys.sent, batch.id)).toMatch(new RegExp(`^${slot} confirmed run-1 \\d+$`));
    expect(await free(p)).toEqual(['1', '2', '3']);
    await until(() => events.messages.includes(`queued ${batch.id}`), { what: 'the message' });
    events.close();
  });

  test('twice is as good as once', async () => {
    const p = await openPartition(redis);
    const { batch, slot } = await sealOne(p, 'a');
    await confirmBatch(redis.store, batch, slot, 'run-1');
    const before = await p.dump();
    await confirmBatch(redis.store, batch, slot, 'run-1');
    await confirmBatch(redis.store, batch, slot + 1, 'run-2');
    expect(await p.dump()).toEqual(before);
  });

  test('changes nothing after a release', async () => {
    const p = await openPartition(redis);
    const one = await sealOne(p, 'a');
    await release(one);
    const before = await p.dump();
    await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    expect(await p.dump()).toEqual(before);
  });

  test('notes the slot in which the start really succeeded and frees the one that was meant', async () => {
    const p = await openPartition(redis);
    const { batch } = await sealOne(p, 'a');
    await confirmBatch(redis.store, batch, 3, 'run-1');
    expect(await redis.raw.hget(p.keys.sent, batch.id)).toMatch(/^3 confirmed/);
    expect(await free(p)).toEqual(['1', '2', '0']);
  });

  test('does not free a slot that another batch names, nor forget either batch', async () => {
    const p = await openPartition(redis);
    const [one, two] = [await sealOne(p, 'a'), await sealOne(p, 'b')];
    await confirmBatch(redis.store, two.batch, one.slot, 'run-2');
    expect(await free(p)).toEqual(['2', '3', '1']);
    await confirmBatch(redis.store, one.batch, 2, 'run-1');
    expect(await free(p)).toEqual(['3', '1']);
    expect(await redis.raw.hget(p.keys.sent, two.batch.id)).toMatch(/^0 confirmed run-2/);
    expect(await redis.raw.hget(p.keys.sent, one.batch.id)).toMatch(/^2 confirmed run-1/);
  });

  test('leaves a batch that waits for the same entry alone', async () => {
    const p = await openPartition(redis);
    const { batch, slot } = await sealOne(p, 'a');
    const { batchId: next } = staged(await p.put('a', '2'));
    await confirmBatch(redis.store, batch, slot, 'run-1');
    expect(await redis.raw.hget(p.keys.index, 'docs/a')).toBe(next);
  });
});

test('progress goes from staged through queued to gone', async () => {
  const p = await openPartition(redis);
  const limits = { entries: 1, bytes: 10_000 };
  await p.put('a', '1', { limits });
  await p.put('b', '1', { limits });
  expect(await progress(p, 0, 1, 2)).toEqual(['staged', 'staged', 'gone']);
  const one = sealed(await p.seal());
  expect(await progress(p, 0, 1)).toEqual(['staged', 'staged']);
  await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
  expect(await progress(p, 1, 0)).toEqual(['staged', 'queued']);
  await release(one);
  expect(await progress(p, 0, 1)).toEqual(['gone', 'staged']);
  expect(await progress(p)).toEqual([]);
});
