import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { EpochChanged } from '../../storage/redis/errors.ts';
import { fill } from '../../storage/redis/lookup.ts';
import { parseBatchEvent, type Release, releaseBatch } from '../../storage/redis/release.ts';
import type { SealedBatch } from '../../storage/redis/seal.ts';
import { forgetEntries, recordRerun, sweepPage } from '../../storage/redis/sweep.ts';
import {
  entriesOf,
  listenToEvents,
  openPartition,
  type RedisUnderTest,
  recoverPartition,
  redisTime,
  sealed,
  staged,
  startRedisUnderTest,
  type TestPartition,
} from '../support/redis-partition.ts';

const A = { collection: 'docs', key: 'a' };
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

/** Stages the entries, seals them and confirms the batch. */
async function queued(p: TestPartition, ...keys: string[]): Promise<SealedBatch> {
  for (const key of keys) staged(await p.put(key, `"${key}"`));
  const one = sealed(await p.seal());
  await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
  return one;
}

function release({ batch }: SealedBatch, over: Partial<Release> = {}): Promise<void> {
  return releaseBatch(redis.store, {
    batchId: batch.id,
    partition: batch.partition,
    entries: entriesOf(batch),
    setAside: [],
    outcome: 'persisted',
    ...over,
  });
}

const entryKey = (p: TestPartition, key = 'a') => `${p.keys.entryPrefix}docs/${key}`;
const clockOf = async (p: TestPartition) => Number(await redis.raw.hget(p.keys.state, 'clock'));

describe('a rerun', () => {
  const rerun = (
    p: TestPartition,
    { batch, slot }: SealedBatch,
    ended: string,
    over: { slot?: number } = {},
  ) => recordRerun(redis.store, p, { batchId: batch.id, slot, runId: ended, ...over }, 'run-2');
  const place = async (p: TestPartition, { batch }: SealedBatch) =>
    (await redis.raw.hget(p.keys.sent, batch.id))?.replace(/ \d+$/, '');

  test('takes the place of the run that ended, and of no other', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    expect(await rerun(p, one, 'run-0')).toBe(false);
    expect(await rerun(p, one, 'run-')).toBe(false);
    expect(await rerun(p, one, 'run-1', { slot: one.slot + 1 })).toBe(false);
    expect(await place(p, one)).toBe(`${one.slot} confirmed run-1`);
    expect(await rerun(p, one, 'run-1')).toBe(true);
    expect(await place(p, one)).toBe(`${one.slot} confirmed run-2`);
    expect(await rerun(p, one, 'run-1')).toBe(false);
  });

  test('changes nothing of a batch that is not confirmed, or was released', async () => {
    const p = await openPartition(redis);
    staged(await p.put('a', '1'));
    const one = sealed(await p.seal());
    expect(await rerun(p, one, 'run-1')).toBe(false);
    expect(await place(p, one)).toMatch(/ sealed$/);
    await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    await release(one);
    expect(await rerun(p, one, 'run-1')).toBe(false);
    expect(await place(p, one)).toBeUndefined();
  });
});

describe('a release', () => {
  test('removes the batch and frees its slot, as the last in line', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a', 'b');
    await release(one);
    const { state, free } = p.keys;
    expect(Object.keys(await p.dump()).sort()).toEqual(
      [state, free, entryKey(p, 'a'), entryKey(p, 'b')].sort(),
    );
    expect(await redis.raw.lrange(free, 0, -1)).toEqual(['1', '2', '3', '0']);
  });

  test('takes an entry out of the index only where that names this batch', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a', 'b');
    const { batchId: next } = staged(await p.put('a', '"newer"'));
    await release(one);
    expect(await redis.raw.hgetall(p.keys.index)).toEqual({ 'docs/a': next });
  });

  test('keeps the copy of its own version and newer ones', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a', 'b');
    const { version } = staged(await p.put('a', '"newer"'));
    await release(one);
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version, value: '"newer"' } });
    expect(await p.look('b')).toMatchObject({ outcome: 'hit', state: { value: '"b"' } });
  });

  test.each([
    ['older copies', (p: TestPartition) => `V ${p.epoch} 2 d "old"`],
    ['copies of another epoch', () => 'V 0-old 9007199254740990 d "other"'],
    ['leases', (p: TestPartition) => `L ${p.epoch} t`],
  ])('drops %s', async (_what, copy) => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    await redis.raw.set(entryKey(p), copy(p));
    await release(one);
    expect(await redis.raw.exists(entryKey(p))).toBe(0);
  });

  test('sees the version of a copy however long its value and its epoch', async () => {
    const epoch = '123456789012345-abcdefghijklmnopqrstuvwxyz';
    const p = await openPartition(redis, { epoch });
    const one = await queued(p, 'a');
    const newer = `V ${epoch} ${Number.MAX_SAFE_INTEGER - 1} d "${'x'.repeat(100_000)}"`;
    await redis.raw.set(entryKey(p), newer);
    await release(one);
    expect(await redis.raw.exists(entryKey(p))).toBe(1);
  });

  test('drops the copies of entries that were set aside, but not what was written since', async () => {
    const p = await openPartition(redis);
    const events = await listenToEvents(redis.server.url);
    const one = await queued(p, 'a', 'b', 'c');
    const { version } = staged(await p.put('b', '"newer"'));
    await release(one, { setAside: [A, { collection: 'docs', key: 'b' }] });
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', pending: undefined });
    expect(await p.look('b')).toMatchObject({ outcome: 'hit', state: { version } });
    expect(await p.look('c')).toMatchObject({ outcome: 'hit' });
    const message = await until(
      () => events.messages.find((text) => text.includes(one.batch.id) && !text.startsWith('queued')),
      { what: 'the message' },
    );
    expect(parseBatchEvent(message)).toEqual({
      event: 'persisted',
      batchId: one.batch.id,
      setAside: ['docs/a', 'docs/b'],
    });
    events.close();
  });

  test('of a refused batch drops all copies that a reader may have made of it, but not what was written since', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a', 'b');
    const { version } = staged(await p.put('b', '"newer"'));
    await release(one, { outcome: 'refused' });
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', pending: undefined });
    expect(await p.look('b')).toMatchObject({ outcome: 'hit', state: { version } });
  });

  test('raises the clock to the highest version, and never lowers it', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a', 'b');
    const high = (await clockOf(p)) + 5_000_000_000;
    const entries = entriesOf(one.batch).map((entry, i) => ({ ...entry, version: high - i }));
    await release(one, { entries });
    expect(await clockOf(p)).toBe(high);
    await release(one);
    expect(await clockOf(p)).toBe(high);
    expect(staged(await p.put('a', '1')).version).toBeGreaterThan(high);
  });

  test.each(['persisted', 'refused'] as const)('tells the waiters: %s', async (outcome) => {
    const p = await openPartition(redis);
    const events = await listenToEvents(redis.server.url);
    const one = await queued(p, 'a');
    await release(one, { outcome });
    const all = [`queued ${one.batch.id}`, `${outcome} ${one.batch.id}`];
    await until(() => events.messages.length >= 2, { what: 'both messages' });
    expect(events.messages).toEqual(all);
    expect(parseBatchEvent(all[1]!)).toEqual({ event: outcome, batchId: one.batch.id, setAside: [] });
    events.close();
  });

  test('may be repeated, also after the slot was given to another batch', async () => {
    const p = await openPartition(redis, { slots: 1 });
    const one = await queued(p, 'a');
    await release(one);
    const two = await queued(p, 'a', 'b');
    expect(two.slot).toBe(one.slot);
    const before = await p.dump();
    await release(one);
    expect(await p.dump()).toEqual(before);
  });

  test('does not free a slot that another batch names', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    await p.put('b', '1');
    const two = sealed(await p.seal());
    await confirmBatch(redis.store, two.batch, one.slot, 'run-2');
    await release(one);
    expect(await redis.raw.lrange(p.keys.free, 0, -1)).toEqual(['2', '3', '1']);
    await release(two);
    expect(await redis.raw.lrange(p.keys.free, 0, -1)).toEqual(['2', '3', '1', '0']);
  });

  test('of a batch that was never confirmed removes it as well: it was persisted directly', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const one = sealed(await p.seal());
    await release(one, { epoch: p.epoch });
    expect(await redis.raw.exists(p.keys.closed, p.keys.sent, p.keys.index, p.keys.queue)).toBe(0);
  });

  test('works in a later epoch, unless one is named', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    const entries = entriesOf(one.batch);
    const adopted = [{ slot: one.slot, batchId: one.batch.id, runId: 'run-1' }];
    const pending = [{ id: 'docs/a', version: entries[0]!.version, batchId: one.batch.id }];
    const epoch = await recoverPartition(redis.store, p.partition, { adopted, pending });
    await expect(release(one, { epoch: p.epoch })).rejects.toMatchObject({ current: epoch });
    expect(await redis.raw.hlen(p.keys.index)).toBe(1);
    await release(one);
    expect(await redis.raw.exists(p.keys.index, p.keys.sent)).toBe(0);
    expect(await redis.raw.lrange(p.keys.free, 0, -1)).toEqual(['1', '2', '3', '0']);
  });

  test('waits for an epoch where none is valid', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    await redis.raw.del(p.keys.state);
    await expect(release(one)).rejects.toThrow(EpochChanged);
    expect(await redis.raw.hlen(p.keys.sent)).toBe(1);
  });

  test.each([1, 250, 251, 501])('of %i entries goes page by page; the last page ends it', async (size) => {
    const p = await openPartition(redis);
    const events = await listenToEvents(redis.server.url);
    await Promise.all(Array.from({ length: size }, (_, i) => p.put(`k${i}`, '1')));
    const one = await queued(p);
    await redis.raw.config('RESETSTAT');
    await release(one, { setAside: entriesOf(one.batch).slice(-1) });
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.raw.info('commandstats'))?.[1];
    expect(Number(calls)).toBe(Math.ceil(size / 250));
    expect(await redis.raw.exists(p.keys.index, p.keys.sent)).toBe(0);
    const kept = (await redis.raw.keys(`${p.keys.entryPrefix}*`)).length;
    expect(kept).toBe(size - 1);
    await until(() => events.messages.length >= 2, { what: 'the last message' });
    expect(events.messages).toHaveLength(2);
    events.close();
  });

  test('stays unfinished where only some pages ran: the batch still counts', async () => {
    const p = await openPartition(redis);
    await Promise.all(Array.from({ length: 300 }, (_, i) => p.put(`k${i}`, '1')));
    const one = await queued(p);
    let pages = 0;
    const store = {
      ...redis.store,
      run: (...call: Parameters<typeof redis.store.run>) => {
        pages += 1;
        return pages > 1 ? Promise.reject(new Error('cut')) : redis.store.run(...call);
      },
    };
    const all = {
      ...one.batch,
      batchId: one.batch.id,
      entries: entriesOf(one.batch),
      setAside: [],
      outcome: 'persisted',
    } as const;
    await expect(releaseBatch(store, all)).rejects.toThrow('cut');
    expect(await redis.raw.hlen(p.keys.index)).toBe(50);
    expect(await redis.raw.hlen(p.keys.sent)).toBe(1);
    await releaseBatch(redis.store, all);
    expect(await redis.raw.exists(p.keys.index, p.keys.sent)).toBe(0);
  });
});

test('an event of another form is no event', () => {
  for (const text of ['', 'queued', 'other 1-a.p00.1', 'queued  x y'])
    expect(parseBatchEvent(text)).toBeUndefined();
});

describe('the sweep', () => {
  const sweep = (p: TestPartition, olderThanMs: number, cursor = '0') =>
    sweepPage(redis.store, { partition: p.partition, epoch: p.epoch, olderThanMs, cursor });

  test('lists confirmed batches of that age, no others', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    await p.put('b', '1');
    sealed(await p.seal());
    await p.put('c', '1');
    expect(await sweep(p, 0)).toEqual({
      cursor: '0',
      confirmed: [{ batchId: one.batch.id, slot: one.slot, runId: 'run-1' }],
      dangling: [],
    });
    expect((await sweep(p, 3_600_000)).confirmed).toEqual([]);
  });

  test('lists a batch confirmed before the clock was set back', async () => {
    const p = await openPartition(redis);
    const one = await queued(p, 'a');
    const future = (await redisTime(redis.raw)) + 7_200_000_000;
    await redis.raw.hset(p.keys.sent, one.batch.id, `${one.slot} confirmed run-1 ${future}`);
    expect((await sweep(p, 3_600_000)).confirmed).toHaveLength(1);
  });

  test('lists what the index names and nobody has, and forgets exactly that', async () => {
    const p = await openPartition(redis);
    const limits = { entries: 1, bytes: 10_000 };
    for (const key of ['a', 'b', 'c', 'd']) await p.put(key, '1', { limits });
    const one = sealed(await p.seal());
    await confirmBatch(redis.store, one.batch, one.slot, 'run-1');
    sealed(await p.seal());
    await redis.raw.hset(p.keys.index, 'docs/x', '0-old.p00.7', 'docs/y', '0-old.p00.7');
    const { dangling } = await sweep(p, 0);
    expect(dangling.toSorted((x, y) => (x.id < y.id ? -1 : 1))).toEqual([
      { id: 'docs/x', batchId: '0-old.p00.7' },
      { id: 'docs/y', batchId: '0-old.p00.7' },
    ]);
    const { batchId: held } = staged(await p.put('y', '1'));
    expect(await forgetEntries(redis.store, p, dangling)).toBe(1);
    expect(await redis.raw.hget(p.keys.index, 'docs/y')).toBe(held);
    expect(await redis.raw.hexists(p.keys.index, 'docs/x')).toBe(0);
    expect(await redis.raw.hlen(p.keys.index)).toBe(5);
    expect(await forgetEntries(redis.store, p, dangling)).toBe(0);
    expect(await forgetEntries(redis.store, p, [])).toBe(0);
  });

  test('sees the whole index, page by page', async () => {
    const p = await openPartition(redis);
    const loose = Array.from({ length: 2_000 }, (_, i) => [`docs/${i}`, '0-old.p00.7']).flat();
    await redis.raw.hset(p.keys.index, ...loose);
    const seen = new Set<string>();
    let pages = 0;
    for (let cursor: string | undefined = '0'; cursor !== undefined; pages += 1) {
      const page: Awaited<ReturnType<typeof sweep>> = await sweep(p, 0, cursor);
      for (const { id } of page.dangling) seen.add(id);
      cursor = page.cursor === '0' ? undefined : page.cursor;
    }
    expect(seen.size).toBe(2_000);
    expect(pages).toBeGreaterThan(3);
  });
});

test('a fill that lost its lease to a release cannot bring back what was set aside', async () => {
  const p = await openPartition(redis);
  const one = await queued(p, 'a');
  await p.expire('docs/a');
  await p.look('a', { token: 'slow' });
  await release(one, { setAside: [A] });
  const options = { ...p, lease: 'slow', kind: 'document', ttlMs: 60_000 } as const;
  expect(await fill(redis.store, A, { version: 2, value: '"a"' }, options)).toBe(false);
});
