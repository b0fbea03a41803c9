import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { dropDiscarded } from '../../storage/redis/discard.ts';
import { fill } from '../../storage/redis/lookup.ts';
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

const A = { collection: 'docs', key: 'a' };
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

/** Writes the entries and queues them as one batch. */
async function queued(p: TestPartition, ...keys: string[]) {
  for (const key of keys) staged(await p.put(key, `"${key}"`));
  const { batch, slot } = sealed(await p.seal());
  await confirmBatch(redis.store, batch, slot, 'run-1');
  return batch;
}

const once = (key: string) => ({ key, fingerprint: 'f', asked: '', fresh: token() });

/** An increment with a key, as the service does it where PostgreSQL has no record. */
async function add(p: TestPartition, key: string) {
  const first = await p.add('c', 1, { once: once(key) });
  if (first.outcome !== 'check') return first;
  return await p.add('c', 1, { once: { ...once(key), asked: first.token } });
}

async function queueOpen(p: TestPartition) {
  const { batch, slot } = sealed(await p.seal());
  await confirmBatch(redis.store, batch, slot, 'run-1');
  return batch;
}

const indexOf = (p: TestPartition) => redis.raw.hgetall(p.keys.index);

describe('a discarded write', () => {
  test('leaves the index and the cache, and its neighbours stay', async () => {
    const p = await openPartition(redis);
    const batch = await queued(p, 'a', 'b');
    const [a] = batch.mutations.filter(({ key }) => key === 'a');
    await dropDiscarded(redis.store, p.partition, batch.id, [a!]);
    const after = await p.dump();
    await dropDiscarded(redis.store, p.partition, batch.id, [a!]);
    expect(await p.dump()).toEqual(after);
    expect(await indexOf(p)).toEqual({ 'docs/b': batch.id });
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', pending: undefined });
    expect(await p.look('b')).toMatchObject({ outcome: 'hit', state: { value: '"b"' } });
  });

  test('leaves a later write of the entry alone, in the index and in the cache', async () => {
    const p = await openPartition(redis);
    const batch = await queued(p, 'a');
    const { batchId: next, version } = staged(await p.put('a', '"newer"'));
    await dropDiscarded(redis.store, p.partition, batch.id, batch.mutations);
    expect(await indexOf(p)).toEqual({ 'docs/a': next });
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version, value: '"newer"' } });
  });

  test('cannot be put back by a reader that had seen it: the lease is void', async () => {
    const p = await openPartition(redis);
    const batch = await queued(p, 'a');
    await p.expire('docs/a');
    const found = await p.look('a');
    if (found.outcome !== 'miss' || found.lease === undefined) throw new Error('a lease was expected');
    await dropDiscarded(redis.store, p.partition, batch.id, batch.mutations);
    const { partition, epoch } = p;
    const filling = { partition, epoch, lease: found.lease, kind: 'document', ttlMs: 1_000 } as const;
    expect(await fill(redis.store, A, batch.mutations[0]!, filling)).toBe(false);
  });

  test('is dropped in a later epoch, too, and where more entries are named than one call handles', async () => {
    const p = await openPartition(redis);
    const keys = Array.from({ length: 260 }, (_, i) => `k${i}`);
    const batch = await queued(p, ...keys);
    const adopted = [{ slot: 0, batchId: batch.id, runId: 'run-1' }];
    const pending = batch.mutations.map((m) => ({
      id: `docs/${m.key}`,
      version: m.version,
      batchId: batch.id,
    }));
    await recoverPartition(redis.store, p.partition, { adopted, pending });
    await dropDiscarded(redis.store, p.partition, batch.id, batch.mutations);
    expect(await indexOf(p)).toEqual({});
    expect(await redis.raw.exists(...keys.map((key) => `${p.keys.entryPrefix}docs/${key}`))).toBe(0);
  });

  test('waits for a recovery where Redis lost its memory', async () => {
    const p = await openPartition(redis);
    const batch = await queued(p, 'a');
    await redis.raw.del(p.keys.state);
    const before = await p.dump();
    await expect(dropDiscarded(redis.store, p.partition, batch.id, batch.mutations)).rejects.toMatchObject({
      current: '',
    });
    expect(await p.dump()).toEqual(before);
  });

  test('is executed anew when it comes again with its Idempotency-Key', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', '5');
    await queueOpen(p);
    staged(await add(p, 'k1'));
    staged(await add(p, 'k2'));
    const batch = await queueOpen(p);
    expect(await add(p, 'k1')).toMatchObject({ outcome: 'replay', value: 6 });
    await dropDiscarded(redis.store, p.partition, batch.id, batch.mutations);
    expect(await redis.raw.hkeys(p.keys.records)).toEqual([]);
    expect(await redis.raw.hkeys(p.keys.carried)).toEqual([]);
    await p.setCounter('c', '5');
    expect(staged(await add(p, 'k1')).value).toBe(6);
    expect(staged(await add(p, 'k2')).value).toBe(7);
  });

  test('keeps its record where a later write rests on it, and the records of writes in other batches', async () => {
    const p = await openPartition(redis);
    await p.setCounter('c', '5');
    staged(await add(p, 'k1'));
    // Not confirmed: what comes next takes its record along.
    const { batch: first } = sealed(await p.seal());
    staged(await add(p, 'k2'));
    const second = await queueOpen(p);
    expect(second.mutations[0]?.records).toMatch(/k1,.*;k2,/);
    await dropDiscarded(redis.store, p.partition, first.id, first.mutations);
    expect(await add(p, 'k1')).toMatchObject({ outcome: 'replay', value: 6 });
    await dropDiscarded(redis.store, p.partition, second.id, second.mutations);
    expect(await redis.raw.hkeys(p.keys.records)).toEqual(['k1']);
    await dropDiscarded(redis.store, p.partition, first.id, first.mutations);
    expect(await redis.raw.hkeys(p.keys.records)).toEqual([]);
  });
});
