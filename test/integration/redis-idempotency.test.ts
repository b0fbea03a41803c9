import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeRecords } from '../../domain/idempotency.ts';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import type { SealedBatch } from '../../storage/redis/seal.ts';
import type { StageOutcome } from '../../storage/redis/stage-outcome.ts';
import type { Once } from '../../storage/redis/write.ts';
import {
  openPartition,
  type RedisUnderTest,
  recoverPartition,
  sealed,
  staged,
  startRedisUnderTest,
  type TestPartition,
  token,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

const once = (key: string, fingerprint = 'f'): Once => ({
  ...{ key, fingerprint, asked: '' },
  fresh: token(),
});

/** A write with a key, as the service does it where PostgreSQL has no record. */
async function afterCheck(write: (once: Once) => Promise<StageOutcome>, o: Once): Promise<StageOutcome> {
  return await write(asked(o, await write(o)));
}

/** The same request after it asked PostgreSQL. */
function asked(o: Once, answer: StageOutcome): Once {
  expect(answer).toMatchObject({ outcome: 'check' });
  return { ...o, asked: answer.outcome === 'check' ? answer.token : '', fresh: token() };
}

const put = (p: TestPartition, key: string, value: string, o: Once) =>
  afterCheck((mine) => p.put(key, value, { once: mine }), o);
const add = (p: TestPartition, key: string, o: Once) =>
  afterCheck((mine) => p.add(key, 1, { once: mine }), o);

const keysOf = ({ batch }: SealedBatch, entry: string) =>
  decodeRecords(batch.mutations.find(({ key }) => key === entry)?.records).map(({ key }) => key);

function release(p: TestPartition, { batch }: SealedBatch): Promise<void> {
  return releaseBatch(redis.store, {
    batchId: batch.id,
    partition: p.partition,
    entries: batch.mutations,
    setAside: [],
    outcome: 'persisted',
  });
}

test('a repetition is answered from the record: nothing is executed, whatever became of the entry', async () => {
  const p = await openPartition(redis);
  await p.setCounter('c', '5');
  const o = once('k1');
  const first = staged(await add(p, 'c', o));
  expect(first.value).toBe(6);
  await p.add('c', 10);
  const { version, batchId } = first;
  for (const again of [o, once('k1', 'other')]) {
    expect(await p.add('c', 1, { once: again })).toEqual({
      outcome: 'replay',
      fingerprint: 'f',
      version,
      value: 6,
      batchId,
      queued: false,
    });
  }
  expect((await p.look('c', { collection: 'hits' })).outcome).toBe('hit');
  expect(staged(await p.add('c', 0)).value).toBe(16);
});

test('a put, a delete and a conditional put are remembered too; the record comes before the condition', async () => {
  const p = await openPartition(redis);
  const { version } = staged(await put(p, 'a', '1', once('k1')));
  const condition = { ifAbsent: true } as const;
  expect(await p.put('a', '1', { once: once('k1'), condition })).toMatchObject({
    outcome: 'replay',
    version,
  });
  expect(await p.put('a', null, { once: once('k2') })).toMatchObject({ outcome: 'check' });
  expect(await p.put('b', '1', { condition, once: once('k3') })).toMatchObject({ outcome: 'check' });
});

test('the same key of another entry is another key, and a copy in the cache holds no records', async () => {
  const p = await openPartition(redis);
  await put(p, 'a', '{"n": 1}', once('k1'));
  expect(await p.look('a')).toMatchObject({ outcome: 'hit', state: { value: '{"n": 1}' } });
  expect(await redis.raw.get(`${p.keys.entryPrefix}docs/a`)).not.toContain('k1');
});

test('a token is shared by all who ask; executing takes it away, and who comes later asks again', async () => {
  const p = await openPartition(redis);
  await p.setCounter('c', '0');
  const [mine, theirs, third] = [once('k1'), once('k1'), once('k1')];
  const check = { outcome: 'check', token: mine.fresh } as const;
  for (const one of [mine, theirs, third]) expect(await p.add('c', 1, { once: one })).toEqual(check);
  expect(staged(await p.add('c', 1, { once: asked(mine, check) })).value).toBe(1);
  await release(p, sealed(await p.seal()));
  // They asked PostgreSQL before the batch was there, perhaps: the token of one is not worth anything because the other came.
  for (const one of [theirs, third]) {
    expect(await p.add('c', 1, { once: asked(one, check) })).toMatchObject({ outcome: 'check' });
  }
  expect((await p.look('c', { collection: 'hits' })).outcome).toBe('hit');
});

test('a token is worth nothing in another epoch, not even where another came with it', async () => {
  const p = await openPartition(redis);
  const o = once('k1');
  const later = asked(o, await p.put('a', '1', { once: o }));
  const epoch = await recoverPartition(redis.store, p.partition);
  for (const one of [later, { ...later, fresh: token() }]) {
    expect(await p.put('a', '1', { once: one, epoch })).toMatchObject({ outcome: 'check' });
  }
});

test('records stay without a TTL until their batch is released, then PostgreSQL is asked', async () => {
  const p = await openPartition(redis);
  staged(await put(p, 'a', '1', once('k1')));
  const batch = sealed(await p.seal());
  expect(keysOf(batch, 'a')).toEqual(['k1']);
  expect(await redis.raw.pttl(p.keys.records)).toBe(-1);
  expect(await p.put('a', '1', { once: once('k1') })).toMatchObject({ outcome: 'replay', queued: false });
  await confirmBatch(redis.store, batch.batch, batch.slot, 'run-1');
  expect(await p.put('a', '1', { once: once('k1') })).toMatchObject({ outcome: 'replay', queued: true });
  await release(p, batch);
  expect(await redis.raw.exists(p.keys.records, p.keys.carried)).toBe(0);
  expect(await p.put('a', '1', { once: once('k1') })).toMatchObject({ outcome: 'check' });
});

test('a record whose batch is nowhere is no answer: the release was lost, and PostgreSQL knows', async () => {
  const p = await openPartition(redis);
  await redis.raw.hset(p.keys.records, 'k1', `f,4,7 ${p.epoch}.x.9`);
  expect(await p.put('a', '1', { once: once('k1') })).toMatchObject({ outcome: 'check' });
  expect(await redis.raw.hexists(p.keys.records, 'k1')).toBe(0);
});

test('a mutation carries the records of every unconfirmed batch of its entry, also where it came without a key', async () => {
  const p = await openPartition(redis);
  await p.setCounter('c', '0');
  await add(p, 'c', once('k1'));
  await add(p, 'c', once('k2'));
  const first = sealed(await p.seal());
  expect(keysOf(first, 'c')).toEqual(['k1', 'k2']);
  await p.add('c', 1);
  const second = sealed(await p.seal());
  expect(keysOf(second, 'c')).toEqual(['k1', 'k2']);
  await confirmBatch(redis.store, second.batch, second.slot, 'run-2');
  await add(p, 'c', once('k3'));
  // What Temporal holds needs no second place, and the first batch's records are in the second.
  const third = sealed(await p.seal());
  expect(keysOf(third, 'c')).toEqual(['k3']);
  await release(p, second);
  // The first batch is still on its way: its own record is not the second batch's to take away.
  expect(await p.add('c', 1, { once: once('k1') })).toMatchObject({
    outcome: 'replay',
    batchId: first.batch.id,
  });
});

test('a recovery restores the records of what Temporal holds and of what survived in Redis', async () => {
  const p = await openPartition(redis);
  await put(p, 'a', '1', once('k1'));
  const sent = sealed(await p.seal());
  await confirmBatch(redis.store, sent.batch, sent.slot, 'run-1');
  await put(p, 'b', '1', once('k2'));
  await redis.raw.hset(p.keys.state, 'run_id', 'f'.repeat(40));
  const epoch = await recoverPartition(redis.store, p.partition, {
    adopted: [{ slot: sent.slot, batchId: sent.batch.id, runId: 'run-1' }],
    pending: sent.batch.mutations.map((m) => ({
      id: `docs/${m.key}`,
      version: m.version,
      batchId: sent.batch.id,
      records: m.records,
    })),
  });
  expect(await p.put('a', '1', { once: once('k1'), epoch })).toMatchObject({
    outcome: 'replay',
    batchId: sent.batch.id,
    queued: true,
  });
  expect(await p.put('b', '1', { once: once('k2'), epoch })).toMatchObject({
    outcome: 'replay',
    batchId: `${epoch}.${p.keys.name}.0`,
    queued: false,
  });
  // And the next write of the entry goes on carrying it.
  staged(await p.put('b', '2', { epoch }));
  expect(await redis.raw.hget(p.keys.open, 'docs/b')).toContain('k2,');
});

test('a recovery drops a surviving counter together with its records where the row is above it', async () => {
  const p = await openPartition(redis);
  await p.setCounter('c', '0');
  const { version } = staged(await add(p, 'c', once('k1')));
  await redis.raw.hset(p.keys.state, 'run_id', 'f'.repeat(40));
  const epoch = await recoverPartition(redis.store, p.partition, {
    rows: [{ id: 'hits/c', version: version + 2 }],
  });
  await p.setCounter('c', '0').catch(() => {});
  expect(await p.add('c', 1, { once: once('k1'), epoch })).toMatchObject({ outcome: 'check' });
});

test('an entry with too many records on its way is turned away, as where the queue is full', async () => {
  const p = await openPartition(redis);
  await redis.raw.hset(
    p.keys.carried,
    'docs/a',
    `${p.epoch}.${p.keys.name}.0 ${'k,f,2,;'.repeat(10_000)}k,f,2,`,
  );
  expect(await put(p, 'a', '1', once('k1'))).toEqual({ outcome: 'full' });
  expect(staged(await p.put('b', '1')).outcome).toBe('staged');
});

test('If-None-Match: * lets an increment make a counter, and no more than that', async () => {
  const p = await openPartition(redis);
  const condition = { ifAbsent: true } as const;
  const { version } = staged(await p.setCounter('c', null));
  expect(version).toBeGreaterThan(0);
  const made = staged(await p.add('c', 3, { condition }));
  expect(made.value).toBe(3);
  expect(await p.add('c', 3, { condition })).toEqual({ outcome: 'condition', version: made.version });
});
