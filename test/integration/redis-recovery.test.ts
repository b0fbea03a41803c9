import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { batchId } from '../../domain/batch.ts';
import { batchProgress, confirmBatch } from '../../storage/redis/confirm.ts';
import { EpochChanged } from '../../storage/redis/errors.ts';
import {
  currentEpoch,
  installEpoch,
  lockForRecovery,
  type RecoveredPartition,
  unlockRecovery,
} from '../../storage/redis/recover.ts';
import { reslotBatch, sealBatch } from '../../storage/redis/seal.ts';
import { stageWrite } from '../../storage/redis/write.ts';
import {
  contentOf,
  dumpPartition,
  openPartition,
  type RedisUnderTest,
  recoverPartition,
  redisTime,
  sealed,
  staged,
  startRedisUnderTest,
  type TestPartition,
  token,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest({ appendOnly: true });
});
afterAll(() => redis.stop());

const epochOf = async (partition: number) => (await currentEpoch(redis.store, partition)).epoch;
const lock = (partition: number, mine: string, lockMs = 60_000, minEpochNumber = 0) =>
  lockForRecovery(redis.store, partition, { token: mine, lockMs, minEpochNumber });
const sealIn = async (p: TestPartition, epoch: string) => {
  return sealed(await sealBatch(redis.store, { ...p, epoch, gatherMinMs: 0, gatherMaxMs: 0 }));
};
const runId = async () => /run_id:(\S+)/.exec(await redis.raw.info('server'))![1]!;
const identity = async () => {
  const replid = /master_replid:(\S+)/.exec(await redis.raw.info('replication'))![1]!;
  return `${await runId()} ${replid}`;
};

/** Locks a partition that must be recoverable. */
async function locked(partition: number, minEpochNumber = Number.MAX_SAFE_INTEGER) {
  const mine = token();
  const found = await lock(partition, mine, 60_000, minEpochNumber);
  if (found.outcome !== 'locked') throw new Error(found.outcome);
  return { ...found, token: mine };
}

const recovered = (over: Partial<RecoveredPartition> & Pick<RecoveredPartition, 'token' | 'identity'>) => ({
  epoch: '9-zzzzzzzz',
  clock: 0,
  slots: 4,
  blockMs: 1,
  adopted: [],
  pending: [],
  setAside: [],
  rows: [],
  drain: { sequence: 0, draining: false },
  ...over,
});

/** Connections come back by themselves; scripts answer again. */
async function back(): Promise<void> {
  await until(() => redis.store.ping().then(() => true), { what: 'the store to reconnect' });
  await until(() => redis.raw.ping(), { what: 'the raw connection to reconnect' });
}

describe('the epoch', () => {
  test('is unknown where nothing was ever installed, and known afterwards', async () => {
    expect(await epochOf(901)).toBeUndefined();
    const p = await openPartition(redis);
    const before = await redisTime(redis.raw);
    const { epoch, now } = await currentEpoch(redis.store, p.partition);
    expect(epoch).toBe(p.epoch);
    expect(now).toBeGreaterThanOrEqual(before);
  });

  test('is unknown where the run id is another', async () => {
    const p = await openPartition(redis);
    await redis.raw.hset(p.keys.state, 'run_id', (await runId()).split('').reverse().join(''));
    expect(await epochOf(p.partition)).toBeUndefined();
    await expect(p.put('a', '1')).rejects.toMatchObject({ current: '' });
  });

  test('of a state that an older version wrote is told from another memory once something was sealed', async () => {
    const p = await openPartition(redis);
    await redis.raw.hdel(p.keys.state, 'replid', 'newest_from');
    await p.put('a', '1');
    await p.seal();
    expect(await redis.raw.hget(p.keys.state, 'replid')).toBe((await identity()).split(' ')[1]);
    expect(await redis.raw.hget(p.keys.state, 'newest_from')).toMatch(/^\d+$/);
  });
});

describe('the lock', () => {
  test('is not given for a partition that is valid', async () => {
    const p = await openPartition(redis);
    expect(await lock(p.partition, 't')).toEqual({ outcome: 'valid', epoch: p.epoch });
    expect(await redis.raw.exists(p.keys.lock)).toBe(0);
  });

  test('is given where the epoch is lower than the highest this process has seen', async () => {
    const p = await openPartition(redis, { epoch: '7-aaaaaaaa' });
    expect(await lock(p.partition, 't', 60_000, 7)).toEqual({ outcome: 'valid', epoch: '7-aaaaaaaa' });
    expect(await lock(p.partition, 't', 60_000, 8)).toMatchObject({
      outcome: 'locked',
      identity: await identity(),
      oldEpoch: '7-aaaaaaaa',
    });
    // Nobody uses it from here on: what was written in the old epoch after the slots were asked would be refused by the fence.
    await expect(p.put('a', '1')).rejects.toMatchObject({ current: '' });
  });

  test('is given where Redis is another process', async () => {
    const p = await openPartition(redis);
    await redis.raw.hset(p.keys.state, 'run_id', '0'.repeat(40));
    expect(await lock(p.partition, 't')).toMatchObject({
      outcome: 'locked',
      identity: await identity(),
      oldEpoch: p.epoch,
    });
  });

  test('is given to one at a time, until it expires or is given back by its holder', async () => {
    const p = await openPartition(redis);
    await redis.raw.del(p.keys.state);
    expect(await lock(p.partition, 'one')).toMatchObject({ outcome: 'locked', oldEpoch: '' });
    expect(await lock(p.partition, 'two')).toEqual({ outcome: 'busy' });
    await unlockRecovery(redis.store, p.partition, 'two');
    expect(await lock(p.partition, 'two')).toEqual({ outcome: 'busy' });
    await unlockRecovery(redis.store, p.partition, 'one');
    expect(await lock(p.partition, 'two', 30)).toMatchObject({ outcome: 'locked' });
    await until(async () => (await lock(p.partition, 'three')).outcome === 'locked', {
      what: 'the lock to expire',
    });
  });

  test('lists a counter that was deleted as well: its row decides what counts', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', '1');
    staged(await p.add('c', 1));
    await stageWrite(
      redis.store,
      { collection: 'hits', key: 'c', kind: 'counter', value: null },
      p.options(),
    );
    const { counters } = await locked(p.partition);
    expect(counters).toEqual(['hits/c']);
  });

  test('lists the counters of batches that survived, and no documents', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 1, bytes: 10_000 };
    for (const key of ['a', 'b', 'c']) {
      const write = { collection: 'hits', key, kind: 'counter', value: '1' } as const;
      staged(await stageWrite(redis.store, write, p.options({ limits })));
    }
    await p.put('d', '1');
    sealed(await p.seal());
    const { counters } = await locked(p.partition);
    expect(counters.toSorted()).toEqual(['hits/a', 'hits/b', 'hits/c']);
  });
});

describe('installing an epoch', () => {
  test('needs the token of the lock and the identity of the server that was read with it', async () => {
    const p = await openPartition(redis);
    const mine = await locked(p.partition);
    const before = await p.dump();
    const { identity: server } = mine;
    for (const wrong of [
      { token: `${mine.token}x`, identity: server },
      { token: mine.token, identity: `${server.slice(1)}0` },
    ]) {
      expect(await installEpoch(redis.store, p.partition, recovered(wrong))).toBe(false);
    }
    expect(await p.dump()).toEqual(before);
    expect(await installEpoch(redis.store, p.partition, recovered(mine))).toBe(true);
    expect(await epochOf(p.partition)).toBe('9-zzzzzzzz');
    expect(await installEpoch(redis.store, p.partition, recovered(mine))).toBe(false);
  });

  test('is refused once the lock went to somebody else', async () => {
    const p = await openPartition(redis);
    const mine = await locked(p.partition);
    await redis.raw.del(p.keys.lock);
    await locked(p.partition);
    expect(await installEpoch(redis.store, p.partition, recovered(mine))).toBe(false);
  });

  test('takes any number of pending entries, the newest mutation of each, and all their records', async () => {
    const p = await openPartition(redis);
    await redis.raw.del(...(await redis.raw.keys(`hf:{${p.keys.name}}:*`)));
    const [old, young] = [batchId('1-old', p.partition, 1), batchId('1-old', p.partition, 2)];
    const pending = Array.from({ length: 2_500 }, (_, i) => [
      {
        id: `docs/${i}`,
        version: 10 + 2 * i,
        batchId: young,
        records: i % 2 === 0 ? `y${i},f,${10 + 2 * i},` : undefined,
      },
      { id: `docs/${i}`, version: 8 + 2 * i, batchId: old, records: `o${i},f,${8 + 2 * i},` },
    ]).flat();
    const mine = await locked(p.partition);
    const adopted = [
      { slot: 1, batchId: old, runId: 'run-1' },
      { slot: 2, batchId: young, runId: 'run-2' },
    ];
    expect(await installEpoch(redis.store, p.partition, recovered({ ...mine, adopted, pending }))).toBe(true);
    const dump = await p.dump();
    const index = dump[p.keys.index] as Record<string, string>;
    expect(Object.keys(index)).toHaveLength(2_500);
    expect(new Set(Object.values(index))).toEqual(new Set([young]));
    const records = dump[p.keys.records] as Record<string, string>;
    expect(Object.keys(records)).toHaveLength(3_750);
    expect(records.o7).toBe(`f,22, ${old}`);
    expect(records.y2498).toBe(`f,5006, ${young}`);
    expect((dump[p.keys.state] as Record<string, string>).clock).toBe('5008');
    expect(p.keys.toCome.filter((key) => key in dump)).toEqual([]);
  });

  test('leaves everything as it was where the lock is lost between two pages', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const mine = await locked(p.partition);
    const before = await p.dump();
    await redis.raw.del(p.keys.lock);
    const pending = [{ id: 'docs/b', version: 4, batchId: batchId('1-old', p.partition, 1) }];
    expect(await installEpoch(redis.store, p.partition, recovered({ ...mine, pending }))).toBe(false);
    const { [p.keys.lock]: _, ...others } = before;
    expect(await p.dump()).toEqual(others);
  });

  test('knows nothing of what an earlier recovery had found when it died', async () => {
    const p = await openPartition(redis);
    const stale = batchId('1-old', p.partition, 1);
    for (const key of p.keys.toCome)
      await redis.raw.hset(key, 'docs/stale', key.endsWith('versions') ? '999' : stale);
    const mine = await locked(p.partition);
    expect(await installEpoch(redis.store, p.partition, recovered(mine))).toBe(true);
    const dump = await p.dump();
    expect(dump[p.keys.index]).toBeUndefined();
    expect(dump[p.keys.records]).toBeUndefined();
  });

  test('after a flush: slots of adopted batches are taken, the others free, their entries pending', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    await redis.raw.del(...(await redis.raw.keys(`hf:{${p.keys.name}}:*`)));
    await expect(p.put('a', '2')).rejects.toThrow(EpochChanged);
    const one = batchId('1-old', p.partition, 7);
    const two = batchId('1-old', p.partition, 9);
    const epoch = await recoverPartition(redis.store, p.partition, {
      epoch: '2-bbbbbbbb',
      adopted: [
        { slot: 2, batchId: one, runId: 'run-1' },
        { slot: 0, batchId: two, runId: 'run-2' },
      ],
      pending: [
        { id: 'docs/a', version: 20, batchId: two },
        { id: 'docs/a', version: 10, batchId: one },
        { id: 'docs/b', version: 11, batchId: one },
      ],
    });
    expect(await redis.raw.lrange(p.keys.free, 0, -1)).toEqual(['1', '3']);
    expect(await redis.raw.hgetall(p.keys.index)).toEqual({ 'docs/a': two, 'docs/b': one });
    expect(await p.look('a', { epoch })).toMatchObject({
      pending: { where: 'temporal', batchId: two, slot: 0, runId: 'run-2' },
    });
    expect(await p.look('b', { epoch })).toMatchObject({ pending: { slot: 2, runId: 'run-1' } });
    expect(await batchProgress(redis.store, p.partition, epoch, [one, two])).toEqual(['queued', 'queued']);
  });

  test.each(['the clock it was given', 'pending versions', 'surviving batches', 'the clock it finds'])(
    'starts the clock above %s',
    async (source) => {
      const p = await openPartition(redis);
      const high = (await redisTime(redis.raw)) + 7_200_000_000;
      const low = high - 1_000_000;
      if (source === 'the clock it finds') await redis.raw.hset(p.keys.state, 'clock', high);
      if (source === 'surviving batches') {
        const { version } = staged(await p.put('a', '1'));
        await redis.raw.hset(p.keys.open, 'docs/a', `${high} d 1`);
        await redis.raw.hset(p.keys.state, 'clock', version);
      }
      const epoch = await recoverPartition(redis.store, p.partition, {
        clock: source === 'the clock it was given' ? high : low,
        pending: source === 'pending versions' ? [{ id: 'docs/a', version: high, batchId: '0-o.p00.1' }] : [],
      });
      const next = staged(await p.put('b', '1', { epoch })).version;
      expect(next).toBe(high + 2 - (high % 2));
    },
  );

  test('leaves blocks, leases and slots of the old epoch behind', async () => {
    const p = await openPartition(redis, { slots: 2 });
    await p.put('a', '1');
    sealed(await p.seal());
    await redis.raw.hset(p.keys.blocks, 'docs/b', `t ${(await redisTime(redis.raw)) + 60_000_000}`);
    const epoch = await recoverPartition(redis.store, p.partition, { slots: 2 });
    expect(await redis.raw.exists(p.keys.blocks, p.keys.sent, p.keys.lock)).toBe(0);
    expect(await redis.raw.lrange(p.keys.free, 0, -1)).toEqual(['0', '1']);
    expect(await p.look('b', { epoch })).toMatchObject({ lease: expect.any(String) });
  });

  test('counts copies of the old epoch as misses', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const epoch = await recoverPartition(redis.store, p.partition);
    expect(await p.put('a', '2', { epoch, condition: { ifAbsent: true } })).toEqual({ outcome: 'miss' });
    expect(await p.look('a', { epoch })).toMatchObject({ outcome: 'miss' });
  });

  test('takes tens of thousands of pending entries', async () => {
    const p = await openPartition(redis);
    const one = batchId('0-old', p.partition, 7);
    const pending = Array.from({ length: 60_000 }, (_, i) => ({
      id: `docs/${i}`,
      version: 2 + i,
      batchId: one,
    }));
    await recoverPartition(redis.store, p.partition, { pending });
    expect(await redis.raw.hlen(p.keys.index)).toBe(60_000);
    expect(await redis.raw.hget(p.keys.index, 'docs/59999')).toBe(one);
  });
});

describe('batches that survived in Redis', () => {
  test('get new ids of the new epoch, oldest first, and are closed for writes', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 1, bytes: 10_000 };
    for (const key of ['a', 'b', 'c']) await p.put(key, `"${key}"`, { limits });
    sealed(await p.seal());
    const old = await p.dump();
    const epoch = await recoverPartition(redis.store, p.partition);
    const ids = [0, 1, 2, 3].map((n) => batchId(epoch, p.partition, n));
    expect(await redis.raw.lrange(p.keys.queue, 0, -1)).toEqual(ids.slice(0, 3));
    expect(Object.keys(old)).toContain(p.keys.sent);
    const { batchId: next } = staged(await p.put('c', '"later"', { epoch }));
    expect(next).toBe(ids[3]);
    const found = [await sealIn(p, epoch), await sealIn(p, epoch), await sealIn(p, epoch)];
    expect(found.map((one) => one.batch.id)).toEqual(ids.slice(0, 3));
    expect(found.map((one) => contentOf(one.batch))).toEqual([
      { 'docs/a': '"a"' },
      { 'docs/b': '"b"' },
      { 'docs/c': '"c"' },
    ]);
  });

  test('keep their versions, and their old ids mean nothing any more', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', '1'));
    const one = sealed(await p.seal());
    const epoch = await recoverPartition(redis.store, p.partition);
    const call = confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    await expect(call).rejects.toMatchObject({ current: epoch });
    await expect(reslotBatch(redis.store, one.batch, one.slot)).rejects.toThrow(EpochChanged);
    expect(await batchProgress(redis.store, p.partition, epoch, [one.batch.id])).toEqual(['gone']);
    expect((await sealIn(p, epoch)).batch.mutations).toMatchObject([{ version, value: '1' }]);
  });

  test('survive a second recovery', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    await recoverPartition(redis.store, p.partition);
    const epoch = await recoverPartition(redis.store, p.partition);
    const { batch } = await sealIn(p, epoch);
    expect(contentOf(batch)).toEqual({ 'docs/a': '1' });
    expect(batch.id).toBe(batchId(epoch, p.partition, 0));
  });

  test('the index names the holder of the highest version, in Temporal or in Redis', async () => {
    const p = await openPartition(redis);
    const versions = new Map<string, number>();
    for (const key of ['older', 'newer', 'alone']) versions.set(key, staged(await p.put(key, '1')).version);
    const sent = batchId(p.epoch, p.partition, 99);
    const pending = [
      { id: 'docs/older', version: versions.get('older')! + 2, batchId: sent },
      { id: 'docs/newer', version: versions.get('newer')! - 2, batchId: sent },
      { id: 'docs/theirs', version: 2, batchId: sent },
    ];
    const epoch = await recoverPartition(redis.store, p.partition, { pending });
    const mine = batchId(epoch, p.partition, 0);
    expect(await redis.raw.hgetall(p.keys.index)).toEqual({
      'docs/older': sent,
      'docs/newer': mine,
      'docs/alone': mine,
      'docs/theirs': sent,
    });
  });

  test('the newest of two survivors holds the entry', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    sealed(await p.seal());
    const { version } = staged(await p.put('a', '2'));
    const epoch = await recoverPartition(redis.store, p.partition);
    expect(await p.look('a', { epoch })).toMatchObject({ pending: { mutation: { version, value: '2' } } });
  });

  test('a counter is dropped unless it is above its row and everything pending; documents stay', async () => {
    const p = await openPartition(redis);
    const keys = ['above', 'same', 'below', 'pending', 'both', 'unknown', 'pending-unknown'];
    const versions = new Map<string, number>();
    for (const key of keys) versions.set(key, staged(await p.setCounter(key, '5')).version);
    const at = (key: string, by: number) => ({ id: `hits/${key}`, version: versions.get(key)! + by });
    await p.put('doc', '1');
    const sent = batchId(p.epoch, p.partition, 99);
    const epoch = await recoverPartition(redis.store, p.partition, {
      setAside: [],
      rows: [at('above', -2), at('same', 0), at('below', 2), at('pending', -2), at('both', -4)],
      pending: [
        { ...at('pending', 2), batchId: sent },
        { ...at('both', -2), batchId: sent },
        { ...at('pending-unknown', 0), batchId: sent },
        { id: 'docs/doc', version: Number.MAX_SAFE_INTEGER - 3, batchId: sent },
      ],
    });
    const { batch } = await sealIn(p, epoch);
    expect(Object.keys(contentOf(batch)).sort()).toEqual([
      'docs/doc',
      'hits/above',
      'hits/both',
      'hits/unknown',
    ]);
    const index = await redis.raw.hgetall(p.keys.index);
    expect(index).toEqual({
      'docs/doc': sent,
      'hits/pending': sent,
      'hits/pending-unknown': sent,
      'hits/above': batch.id,
      'hits/both': batch.id,
      'hits/unknown': batch.id,
    });
  });

  test('a batch that is left without mutations is no batch', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.setCounter('c', '5'));
    const epoch = await recoverPartition(redis.store, p.partition, {
      setAside: [],
      rows: [{ id: 'hits/c', version }],
    });
    expect(await redis.raw.exists(p.keys.closed, p.keys.queue, p.keys.index)).toBe(0);
    expect(staged(await p.put('a', '1', { epoch })).batchId).toBe(batchId(epoch, p.partition, 0));
  });
});

describe('a restart of Redis', () => {
  test('with its append-only file: everything is there, and nobody may use it before a recovery', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 1, bytes: 10_000 };
    const { version } = staged(await p.put('a', '1', { limits }));
    staged(await p.put('b', '2', { limits }));
    const one = sealed(await p.seal());
    await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    const mine = await locked(p.partition);
    const before = await p.dump();
    await redis.server.restart();
    await back();
    expect(await dumpPartition(redis.raw, p.partition)).toEqual(before);
    expect(await epochOf(p.partition)).toBeUndefined();
    await expect(p.put('a', '3')).rejects.toMatchObject({ current: '' });
    await expect(p.seal()).rejects.toMatchObject({ current: '' });
    // A recovery that began before the restart has asked the slots too early.
    expect(await installEpoch(redis.store, p.partition, recovered(mine))).toBe(false);
    await redis.raw.del(p.keys.lock);

    const adopted = [{ slot: one.slot, batchId: one.batch.id, runId: 'run-1' }];
    const pending = [{ id: 'docs/a', version, batchId: one.batch.id }];
    const epoch = await recoverPartition(redis.store, p.partition, { adopted, pending });
    expect(await p.look('a', { epoch })).toMatchObject({ pending: { where: 'temporal', slot: one.slot } });
    expect(await p.look('b', { epoch })).toMatchObject({
      pending: { where: 'redis', mutation: { value: '2' } },
    });
  });

  test('with an older snapshot: what it holds survives under new ids, what came later must come from Temporal', async () => {
    const old = await startRedisUnderTest();
    try {
      const p = await openPartition(old);
      staged(await p.put('a', '1'));
      await old.raw.save();
      cpSync(join(old.server.dir, 'dump.rdb'), join(old.server.dir, 'older.rdb'));
      const { version } = staged(await p.put('b', '2'));
      const one = sealed(await p.seal());
      expect(contentOf(one.batch)).toEqual({ 'docs/a': '1', 'docs/b': '2' });
      await confirmBatch(old.store, one.batch, one.slot, 'run-1');
      await old.server.kill();
      cpSync(join(old.server.dir, 'older.rdb'), join(old.server.dir, 'dump.rdb'));
      await old.server.restart();
      await until(() => old.store.ping().then(() => true), { what: 'the store to reconnect' });
      await until(() => old.raw.ping(), { what: 'the raw connection to reconnect' });

      await expect(p.put('a', '3')).rejects.toMatchObject({ current: '' });
      const lowest = one.batch.mutations[0]!.version;
      const epoch = await recoverPartition(old.store, p.partition, {
        adopted: [{ slot: one.slot, batchId: one.batch.id, runId: 'run-1' }],
        pending: [
          { id: 'docs/a', version: lowest, batchId: one.batch.id },
          { id: 'docs/b', version, batchId: one.batch.id },
        ],
      });
      // The snapshot's half of the batch never travels under the id of the whole.
      expect(await old.raw.hkeys(p.keys.closed)).toEqual([batchId(epoch, p.partition, 0)]);
      expect(await old.raw.hget(p.keys.sent, one.batch.id)).toMatch(/^0 confirmed run-1/);
      expect(staged(await p.put('c', '1', { epoch })).version).toBeGreaterThan(version);
    } finally {
      await old.stop();
    }
  });
});
