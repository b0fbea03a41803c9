import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchId, mutationBytes } from '../../domain/batch.ts';
import { fill } from '../../storage/redis/lookup.ts';
import { stageWrite } from '../../storage/redis/write.ts';
import {
  contentOf,
  openPartition,
  type RedisUnderTest,
  redisTime,
  sealed,
  staged,
  startRedisUnderTest,
} from '../support/redis-partition.ts';

const MAX = Number.MAX_SAFE_INTEGER;
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

describe('versions', () => {
  test('are even, strictly increasing, and at or above the time of Redis', async () => {
    const p = await openPartition(redis);
    const before = await redisTime(redis.raw);
    const outcomes = await Promise.all(Array.from({ length: 300 }, (_, i) => p.put(`k${i % 7}`, `"${i}"`)));
    const versions = outcomes.map((outcome) => staged(outcome).version);
    expect(versions.every((version) => version % 2 === 0)).toBe(true);
    expect(versions[0]).toBeGreaterThanOrEqual(before);
    expect(versions.slice(1).every((version, i) => version > versions[i]!)).toBe(true);
  });

  test('go on above a clock that is ahead of the time', async () => {
    const ahead = (await redisTime(redis.raw)) + 3_600_000_001;
    const odd = ahead % 2 === 1 ? ahead : ahead + 1;
    const p = await openPartition(redis, { clock: odd });
    expect(staged(await p.put('a', '1')).version).toBe(odd + 1);
    expect(staged(await p.put('a', '2')).version).toBe(odd + 3);
    await p.setCounter('c', '1');
    expect(staged(await p.add('c', 1)).version).toBe(odd + 7);
  });
});

describe('a write', () => {
  test('is in the cache, the open batch and the pending index at once', async () => {
    const p = await openPartition(redis);
    const { version, batchId: id } = staged(await p.put('a', '{"n": 1.0}'));
    expect(id).toBe(batchId(p.epoch, p.partition, 0));
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version, value: '{"n": 1.0}' } });
    expect(await redis.raw.hgetall(p.keys.open)).toEqual({ 'docs/a': `${version} d {"n": 1.0}` });
    expect(await redis.raw.hgetall(p.keys.index)).toEqual({ 'docs/a': id });
    const state = await redis.raw.hgetall(p.keys.state);
    expect(state).toMatchObject({ clock: String(version), count: '1' });
    expect(Number(state.since)).toBeGreaterThan(0);
    expect(Number(state.bytes)).toBe(mutationBytes('docs/a', '{"n": 1.0}'));
  });

  test('keeps text as it is: spaces, newlines, other alphabets, digits that look like a head', async () => {
    const p = await openPartition(redis);
    const values = ['V 1-a 2 d x', '', ' ', '"\\n\n"', '"żółw 🐢"', '9007199254740993', 'L x', '%d %s'];
    for (const value of values) {
      await p.put(`k ${value}`, value);
      expect(await p.look(`k ${value}`)).toMatchObject({ outcome: 'hit', state: { value } });
    }
    const { batch } = sealed(await p.seal());
    expect(contentOf(batch)).toEqual(Object.fromEntries(values.map((value) => [`docs/k ${value}`, value])));
  });

  test('expires from the cache after its TTL and stays in the batch', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1', { ttlMs: 90_000 });
    const ttl = await redis.raw.pttl(`${p.keys.entryPrefix}docs/a`);
    expect(ttl).toBeGreaterThan(60_000);
    expect(ttl).toBeLessThanOrEqual(90_000);
    for (const key of [p.keys.state, p.keys.open, p.keys.index]) expect(await redis.raw.pttl(key)).toBe(-1);
  });

  test('a delete is a tombstone: cached as absent, staged as deleted', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const { version } = staged(await p.put('a', null));
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version, value: null } });
    expect(sealed(await p.seal()).batch.mutations).toEqual([
      { collection: 'docs', key: 'a', kind: 'document', version, value: null },
    ]);
  });

  test('replaces an earlier write of its entry in the same batch', async () => {
    const p = await openPartition(redis);
    const first = staged(await p.put('a', '"long enough to see it go"'));
    await p.put('b', '2');
    const second = staged(await p.put('a', '3'));
    expect(second.batchId).toBe(first.batchId);
    const state = await redis.raw.hgetall(p.keys.state);
    expect(state.count).toBe('2');
    expect(Number(state.bytes)).toBe(mutationBytes('docs/a', '3') + mutationBytes('docs/b', '2'));
    expect(contentOf(sealed(await p.seal()).batch)).toEqual({ 'docs/a': '3', 'docs/b': '2' });
  });

  test('does not run after its not-after instant', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const before = await p.dump();
    const past = (await redisTime(redis.raw)) - 1;
    const notAfter = () => past;
    const future = past + 60_000_000;
    expect(await p.put('a', '2', { notAfter })).toEqual({ outcome: 'late' });
    expect(await p.put('a', '2', { notAfter, condition: { ifAbsent: true } })).toEqual({ outcome: 'late' });
    expect(await p.add('a', 1, { notAfter })).toEqual({ outcome: 'late' });
    expect(await p.dump()).toEqual(before);
    expect(await p.put('a', '2', { notAfter: () => future })).toMatchObject({
      outcome: 'staged',
    });
  });
});

describe('a batch', () => {
  test('is closed at its entry limit; an entry it already holds still fits', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 3, bytes: 262_144 };
    const ids = [];
    for (const key of ['a', 'b', 'c', 'b', 'd', 'e']) {
      ids.push(staged(await p.put(key, '1', { limits })).batchId);
    }
    const [one, two] = [0, 1].map((n) => batchId(p.epoch, p.partition, n));
    expect(ids).toEqual([one, one, one, one, two, two]);
    expect(Object.keys(contentOf(sealed(await p.seal()).batch))).toEqual(['docs/a', 'docs/b', 'docs/c']);
    expect(Object.keys(contentOf(sealed(await p.seal()).batch))).toEqual(['docs/d', 'docs/e']);
  });

  test('is closed at its byte limit, to the byte, counted as the domain counts', async () => {
    const p = await openPartition(redis);
    const value = JSON.stringify('ü'.repeat(40));
    const bytes = 3 * mutationBytes('docs/a', value);
    const ids = [];
    for (const key of ['a', 'b', 'c', 'd'])
      ids.push(staged(await p.put(key, value, { limits: { entries: 9, bytes } })).batchId);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    expect(ids[3]).not.toBe(ids[0]);

    const q = await openPartition(redis);
    const tight = { entries: 9, bytes: bytes - 1 };
    const others = [];
    for (const key of ['a', 'b', 'c'])
      others.push(staged(await q.put(key, value, { limits: tight })).batchId);
    expect(others[1]).toBe(others[0]);
    expect(others[2]).not.toBe(others[0]);
  });

  test('is closed where a replacement would outgrow it; both versions travel, the newer in the later batch', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 9, bytes: 600 };
    const first = staged(await p.put('a', '1', { limits }));
    await p.put('b', '2', { limits });
    const second = staged(await p.put('a', `"${'x'.repeat(400)}"`, { limits }));
    expect(second.batchId).not.toBe(first.batchId);
    expect(await redis.raw.hget(p.keys.index, 'docs/a')).toBe(second.batchId);
    expect(contentOf(sealed(await p.seal()).batch)).toEqual({ 'docs/a': '1', 'docs/b': '2' });
    expect(sealed(await p.seal()).batch.mutations[0]).toMatchObject({ version: second.version });
  });

  test('takes one entry above the byte limit alone', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 9, bytes: 200 };
    const big = `"${'x'.repeat(5_000)}"`;
    const ids = [];
    for (const value of [big, '1', big, '1'])
      ids.push(staged(await p.put(`k${ids.length}`, value, { limits })).batchId);
    expect(ids).toEqual([0, 1, 2, 3].map((n) => batchId(p.epoch, p.partition, n)));
    for (const key of ['docs/k0', 'docs/k1'])
      expect(Object.keys(contentOf(sealed(await p.seal()).batch))).toEqual([key]);
  });

  test('at its byte limit still takes a replacement that is no longer than what it replaces', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 9, bytes: 2 * mutationBytes('docs/a', '"xxx"') };
    const first = staged(await p.put('a', '"xxx"', { limits }));
    await p.put('b', '"xxx"', { limits });
    expect(staged(await p.put('a', '"yyy"', { limits })).batchId).toBe(first.batchId);
    expect(staged(await p.put('b', '"zzzz"', { limits })).batchId).not.toBe(first.batchId);
  });

  test('a full queue refuses what needs another batch, and changes nothing', async () => {
    const p = await openPartition(redis);
    const over = { limits: { entries: 1, bytes: 10_000 }, maxQueued: 2 };
    for (const key of ['a', 'b', 'c']) await p.put(key, '1', over);
    await p.setCounter('n', '1');
    const full = { ...over, maxQueued: await redis.raw.llen(p.keys.queue) };
    const before = await p.dump();
    expect(await p.put('d', '1', full)).toEqual({ outcome: 'full' });
    expect(await p.add('n', 1, { ...full, limits: { entries: 9, bytes: 1 } })).toEqual({ outcome: 'full' });
    expect(await p.dump()).toEqual(before);
  });

  test('a full queue still takes what the open batch has room for', async () => {
    const p = await openPartition(redis);
    const over = { limits: { entries: 1, bytes: 10_000 }, maxQueued: 2 };
    for (const key of ['a', 'b', 'c']) staged(await p.put(key, '1', over));
    expect(await p.put('d', '1', over)).toEqual({ outcome: 'full' });
    expect(await p.put('c', '2', over)).toMatchObject({ outcome: 'staged' });
    sealed(await p.seal());
    expect(await p.put('d', '1', over)).toMatchObject({ outcome: 'staged' });
  });
});

describe('a condition', () => {
  test('needs the entry in the cache, in this epoch', async () => {
    const p = await openPartition(redis);
    const conditions = [{ ifVersion: 2 }, { ifAbsent: true }] as const;
    for (const condition of conditions)
      expect(await p.put('a', '1', { condition })).toEqual({ outcome: 'miss' });
    const key = `${p.keys.entryPrefix}docs/a`;
    for (const copy of [`V 0-old 2 d 1`, `L ${p.epoch} t`, `V ${p.epoch}x 2 d 1`]) {
      await redis.raw.set(key, copy);
      for (const condition of conditions) {
        expect(await p.put('a', '1', { condition })).toEqual({ outcome: 'miss' });
      }
    }
    expect(await redis.raw.exists(p.keys.open, p.keys.index)).toBe(0);
  });

  test('If-Match holds for the very version only', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', '1'));
    for (const other of [version - 2, version + 2, 0]) {
      expect(await p.put('a', '2', { condition: { ifVersion: other } })).toEqual({
        outcome: 'condition',
        version,
      });
    }
    const next = staged(await p.put('a', '2', { condition: { ifVersion: version } }));
    expect(await p.look('a')).toMatchObject({ state: { version: next.version, value: '2' } });
  });

  test('If-Match never holds for a deleted entry', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', null));
    expect(await p.put('a', '2', { condition: { ifVersion: version } })).toEqual({
      outcome: 'condition',
      version: 0,
    });
  });

  test('If-None-Match holds for a deleted entry and one that was never written, not for a present one', async () => {
    const p = await openPartition(redis);
    const condition = { ifAbsent: true } as const;
    const { version } = staged(await p.put('a', '1'));
    const before = await p.dump();
    expect(await p.put('a', '2', { condition })).toEqual({ outcome: 'condition', version });
    expect(await p.dump()).toEqual(before);
    await p.put('a', null);
    expect(await p.put('a', '2', { condition })).toMatchObject({ outcome: 'staged' });

    const miss = await p.look('b', { token: 'mine' });
    expect(miss).toMatchObject({ outcome: 'miss', lease: 'mine' });
    const absent = {
      partition: p.partition,
      epoch: p.epoch,
      lease: 'mine',
      kind: 'document',
      ttlMs: 60_000,
    } as const;
    await fill(redis.store, { collection: 'docs', key: 'b' }, { version: 0, value: null }, absent);
    expect(await p.put('b', '1', { condition })).toMatchObject({ outcome: 'staged' });
  });
});

describe('an increment', () => {
  test('needs the counter in the cache, in this epoch', async () => {
    const p = await openPartition(redis);
    expect(await p.add('c', 1)).toEqual({ outcome: 'miss' });
    await redis.raw.set(`${p.keys.entryPrefix}hits/c`, 'V 0-old 2 c 7');
    expect(await p.add('c', 1)).toEqual({ outcome: 'miss' });
    await redis.raw.set(`${p.keys.entryPrefix}hits/c`, `L ${p.epoch} t`);
    expect(await p.add('c', 1)).toEqual({ outcome: 'miss' });
    expect(await redis.raw.exists(p.keys.open, p.keys.index)).toBe(0);
  });

  test('counts from the cached value, and from 0 where the counter is absent or deleted', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', '41');
    const { value, version } = staged(await p.add('c', 1));
    expect(value).toBe(42);
    expect(await p.look('c', { collection: 'hits' })).toEqual({
      outcome: 'hit',
      state: { version, value: '42' },
    });
    await p.setCounter('c', null);
    expect(staged(await p.add('c', -3)).value).toBe(-3);
    expect(await redis.raw.hget(p.keys.open, 'hits/c')).toMatch(/^\d+ c -3$/);
  });

  test('a thousand at once count to a thousand', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', '0');
    const values = await Promise.all(
      Array.from({ length: 1_000 }, async () => staged(await p.add('c', 1)).value),
    );
    expect(new Set(values).size).toBe(1_000);
    expect(Math.max(...values.map(Number))).toBe(1_000);
  });

  test('is exact up to both ends and refuses to go past them', async () => {
    const p = await openPartition(redis);
    for (const sign of [1, -1]) {
      const key = `c${sign}`;
      await p.setCounter(key, String(sign * (MAX - 2)));
      expect(staged(await p.add(key, sign * 2)).value).toBe(sign * MAX);
      const before = await p.dump();
      for (const by of [1, 2, MAX]) expect(await p.add(key, sign * by)).toEqual({ outcome: 'overflow' });
      expect(await p.dump()).toEqual(before);
      expect(staged(await p.add(key, 0)).value).toBe(sign * MAX);
      expect(await redis.raw.get(`${p.keys.entryPrefix}hits/${key}`)).toMatch(
        new RegExp(` c ${sign * MAX}$`),
      );
      expect(staged(await p.add(key, -sign * MAX)).value).toBe(0);
    }
  });

  test('crosses the whole range exactly', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', String(-MAX));
    for (const [by, value] of [
      [MAX, 0],
      [MAX, MAX],
      [-1, MAX - 1],
      [1, MAX],
    ]) {
      expect(staged(await p.add('c', by!)).value).toBe(value);
    }
  });

  test('never leaves a minus zero', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', '-0');
    expect(Object.is(staged(await p.add('c', -0)).value, 0)).toBe(true);
    await redis.raw.set(`${p.keys.entryPrefix}hits/d`, `V ${p.epoch} 2 c -0`);
    const { state, open, closed, queue, index, carried, records, sent, entryPrefix } = p.keys;
    const zero = await redis.store.run(
      'stage',
      [state, open, closed, queue, index, carried, records, sent, `${entryPrefix}hits/d`],
      [p.epoch, MAX, p.keys.name, 10, 10_000, 4, '+', '-0', 60_000],
    );
    expect(zero[1]).toMatchObject({ 3: '0' });
    expect(await redis.raw.hget(p.keys.open, 'hits/d')).toMatch(/ c 0$/);
  });

  test('honours If-Match', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.setCounter('c', '5'));
    expect(await p.add('c', 1, { condition: { ifVersion: version - 2 } })).toEqual({
      outcome: 'condition',
      version,
    });
    expect(staged(await p.add('c', 1, { condition: { ifVersion: version } })).value).toBe(6);
    const gone = staged(await p.setCounter('c', null));
    expect(await p.add('c', 1, { condition: { ifVersion: gone.version } })).toEqual({
      outcome: 'condition',
      version: 0,
    });
  });
});

test('a put of the same entry in another partition is another entry', async () => {
  const [p, q] = [await openPartition(redis), await openPartition(redis)];
  await p.put('a', '1');
  await stageWrite(redis.store, { collection: 'docs', key: 'b', kind: 'document', value: '1' }, q.options());
  expect(await q.look('a')).toMatchObject({ outcome: 'miss', pending: undefined });
});
