import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invalidateEntries } from '../../storage/redis/invalidate.ts';
import { fill } from '../../storage/redis/lookup.ts';
import { settleEntry, voidEntry } from '../../storage/redis/write-through.ts';
import {
  openPartition,
  type RedisUnderTest,
  staged,
  startRedisUnderTest,
  token,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

const A = { collection: 'docs', key: 'a' };

describe('entries that were written around Redis', () => {
  test('lose their older copies, and keep newer ones', async () => {
    const p = await openPartition(redis);
    const { version: older } = staged(await p.put('a', '"old"'));
    const { version: newer } = staged(await p.put('b', '"new"'));
    await invalidateEntries(redis.store, { partition: p.partition, installation: undefined }, [
      { ...A, version: older + 1 },
      { collection: 'docs', key: 'b', version: newer - 1 },
    ]);
    expect(await p.look('a')).toMatchObject({ outcome: 'miss' });
    expect(await p.look('b')).toMatchObject({ outcome: 'hit', state: { value: '"new"' } });
  });

  test('raise the clock: the next version is above theirs', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', '1'));
    const ahead = version + 60_000_001;
    await invalidateEntries(redis.store, { partition: p.partition, installation: undefined }, [
      { ...A, version: ahead },
    ]);
    expect(staged(await p.put('b', '1')).version).toBeGreaterThan(ahead);
  });

  test('void leases: a reader that read before cannot fill the cache after', async () => {
    const p = await openPartition(redis);
    const found = await p.look('a');
    if (found.outcome !== 'miss' || found.lease === undefined) throw new Error('a lease was expected');
    await invalidateEntries(redis.store, { partition: p.partition, installation: undefined }, [
      { ...A, version: 3 },
    ]);
    const options = {
      partition: p.partition,
      epoch: p.epoch,
      lease: found.lease,
      kind: 'document',
      ttlMs: 1_000,
    } as const;
    expect(await fill(redis.store, A, { version: 1, value: '"old"' }, options)).toBe(false);
  });

  test('end the token of a write-through under way: its last step caches nothing', async () => {
    const p = await openPartition(redis);
    const place = { partition: p.partition, epoch: p.epoch };
    const ticket = await voidEntry(redis.store, A, {
      ...place,
      notAfter: () => Number.MAX_SAFE_INTEGER,
      token: token(),
      blockMs: 60_000,
    });
    if (ticket === undefined) throw new Error('a ticket was expected');
    await invalidateEntries(redis.store, { partition: p.partition, installation: undefined }, [
      { ...A, version: ticket.version + 1 },
    ]);
    const settled = await settleEntry(redis.store, A, ticket, {
      ...place,
      kind: 'document',
      value: '"older"',
      ttlMs: 1_000,
      committed: true,
    });
    expect(settled).toBe('dropped');
    expect(await p.look('a', { writeThrough: true })).toMatchObject({ outcome: 'miss' });
  });

  test('wait for a recovery where Redis lost its memory', async () => {
    const p = await openPartition(redis);
    await redis.raw.del(p.keys.state);
    await expect(
      invalidateEntries(redis.store, { partition: p.partition, installation: undefined }, [
        { ...A, version: 1 },
      ]),
    ).rejects.toMatchObject({
      current: '',
    });
  });
});
