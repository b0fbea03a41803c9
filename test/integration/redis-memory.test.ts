import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { batchProgress, confirmBatch } from '../../storage/redis/confirm.ts';
import { RedisOutOfMemory } from '../../storage/redis/errors.ts';
import { fill, inspect } from '../../storage/redis/lookup.ts';
import { currentEpoch } from '../../storage/redis/recover.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { adoptBatch, reslotBatch } from '../../storage/redis/seal.ts';
import { forgetEntries, sweepPage } from '../../storage/redis/sweep.ts';
import { settleEntry, voidEntry } from '../../storage/redis/write-through.ts';
import {
  contentOf,
  entriesOf,
  openPartition,
  type RedisUnderTest,
  recoverPartition,
  sealed,
  staged,
  startRedisUnderTest,
  type TestPartition,
  token,
} from '../support/redis-partition.ts';

const A = { collection: 'docs', key: 'a' };
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());
afterEach(() => redis.raw.config('SET', 'maxmemory', '0'));

/** From here on Redis uses more than it may. */
const fillUp = () => redis.raw.config('SET', 'maxmemory', '500kb');

const voidA = (p: TestPartition) =>
  voidEntry(redis.store, A, {
    partition: p.partition,
    epoch: p.epoch,
    notAfter: () => Number.MAX_SAFE_INTEGER,
    token: token(),
    blockMs: 60_000,
  });

async function fullPartition() {
  const p = await openPartition(redis);
  const limits = { entries: 1, bytes: 10_000 };
  staged(await p.put('a', '"old"', { limits }));
  staged(await p.put('b', '"old"', { limits }));
  const one = sealed(await p.seal());
  staged(await p.setCounter('c', '5'));
  await p.look('missing', { token: 'lease' });
  await fillUp();
  return { p, one };
}

describe('where Redis is full', () => {
  test.each<[string, (p: TestPartition) => Promise<unknown>]>([
    ['a put', (p) => p.put('a', '"new"')],
    ['a put of a new entry', (p) => p.put('z', '"new"')],
    ['a delete', (p) => p.put('a', null)],
    ['an increment', (p) => p.add('c', 1)],
    [
      'a fill',
      (p) =>
        fill(
          redis.store,
          { collection: 'docs', key: 'missing' },
          { version: 2, value: '1' },
          {
            ...p,
            lease: 'lease',
            kind: 'document',
            ttlMs: 60_000,
          },
        ),
    ],
  ])('%s fails as a whole', async (_what, call) => {
    const { p } = await fullPartition();
    const before = await p.dump();
    await expect(call(p)).rejects.toThrow(RedisOutOfMemory);
    expect(await p.dump()).toEqual(before);
  });

  test('hits are served, misses are told where to look', async () => {
    const { p, one } = await fullPartition();
    expect(await p.look('a')).toMatchObject({ outcome: 'hit', state: { value: '"old"' } });
    await p.expire('docs/a');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', pending: { batchId: one.batch.id } });
    expect(await inspect(redis.store, A, p)).toMatchObject({ pending: { where: 'redis' } });
    expect((await currentEpoch(redis.store, p.partition)).epoch).toBe(p.epoch);
  });

  test('what makes room goes on: seal, adopt, another slot, confirm, release', async () => {
    const { p, one } = await fullPartition();
    const two = sealed(await p.seal());
    expect(Object.keys(contentOf(two.batch))).toEqual(['docs/b', 'hits/c']);
    expect(await adoptBatch(redis.store, { ...p, olderThanMs: 0 })).toBeDefined();
    expect(await reslotBatch(redis.store, one.batch, one.slot)).toEqual({ slot: 2 });
    await confirmBatch(redis.store, one.batch, 2, 'run-1');
    expect(await batchProgress(redis.store, p.partition, p.epoch, [one.batch.id])).toEqual(['queued']);
    const page = await sweepPage(redis.store, { ...p, olderThanMs: 0, cursor: '0' });
    expect(page.confirmed).toHaveLength(1);
    expect(await forgetEntries(redis.store, p, [{ id: 'docs/a', batchId: one.batch.id }])).toBe(1);
    await releaseBatch(redis.store, {
      partition: p.partition,
      batchId: one.batch.id,
      entries: entriesOf(one.batch),
      setAside: [A],
      outcome: 'persisted',
    });
    expect(await redis.raw.exists(`${p.keys.entryPrefix}docs/a`)).toBe(0);
  });

  test.each([
    ['begun before', async (p: TestPartition) => voidA(p), fillUp],
    ['begun then', async (p: TestPartition) => fillUp().then(() => voidA(p)), async () => {}],
  ])(
    'a write-through %s takes its course: the older copy goes, its own is not kept',
    async (_when, begin, then) => {
      const p = await openPartition(redis);
      staged(await p.put('a', '"old"'));
      const ticket = await begin(p);
      await then();
      const done = await settleEntry(redis.store, A, ticket!, {
        ...p,
        kind: 'document',
        value: '"new"',
        ttlMs: 60_000,
        committed: true,
      });
      expect(done).toBe('dropped');
      expect(await redis.raw.exists(p.keys.blocks, `${p.keys.entryPrefix}docs/a`)).toBe(0);
      expect(Number(await redis.raw.hget(p.keys.state, 'clock'))).toBe(ticket!.version);
    },
  );

  test('a partition can be recovered', async () => {
    const { p } = await fullPartition();
    const epoch = await recoverPartition(redis.store, p.partition);
    expect((await currentEpoch(redis.store, p.partition)).epoch).toBe(epoch);
    expect(await redis.raw.llen(p.keys.queue)).toBe(2);
  });

  test('writing goes on as soon as there is room', async () => {
    const { p } = await fullPartition();
    await expect(p.add('c', 1)).rejects.toThrow(RedisOutOfMemory);
    await redis.raw.config('SET', 'maxmemory', '0');
    expect(staged(await p.add('c', 1)).value).toBe(6);
  });
});

test('eviction of what has a TTL takes copies, never batches, index or state', async () => {
  const small = await startRedisUnderTest({
    settings: ['--maxmemory', '4mb', '--maxmemory-policy', 'volatile-lru'],
  });
  try {
    const p = await openPartition(small);
    const value = `"${'x'.repeat(1_000)}"`;
    const acknowledged: string[] = [];
    for (;;) {
      const key = `k${acknowledged.length}`;
      const outcome = await p.put(key, value, { maxQueued: 1_000 }).catch((error: unknown) => error);
      if (outcome instanceof RedisOutOfMemory) break;
      expect(outcome).toMatchObject({ outcome: 'staged' });
      acknowledged.push(key);
    }
    expect((await small.raw.keys(`${p.keys.entryPrefix}*`)).length).toBe(0);
    expect(await small.raw.hlen(p.keys.index)).toBe(acknowledged.length);
    const kept = new Set<string>();
    for (;;) {
      const next = await p.seal();
      if (next.outcome !== 'sealed') break;
      for (const one of next.sealed.batch.mutations) kept.add(one.key);
      const { batch, slot } = next.sealed;
      await confirmBatch(small.store, batch, slot, 'run');
      const entries = entriesOf(batch);
      await releaseBatch(small.store, {
        ...p,
        batchId: batch.id,
        entries,
        setAside: [],
        outcome: 'persisted',
      });
    }
    expect(kept).toEqual(new Set(acknowledged));
    staged(await p.put('after', '1'));
  } finally {
    await small.stop();
  }
});
