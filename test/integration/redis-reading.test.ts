import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchId } from '../../domain/batch.ts';
import { confirmBatch } from '../../storage/redis/confirm.ts';
import { fill, inspect } from '../../storage/redis/lookup.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { stageWrite } from '../../storage/redis/write.ts';
import { settleEntry, type VoidTicket, voidEntry } from '../../storage/redis/write-through.ts';
import {
  entriesOf,
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

const A = { collection: 'docs', key: 'a' };
const HOUR = 3_600_000;
let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

function fillA(p: TestPartition, lease: string, version: number, value: string | null, epoch = p.epoch) {
  return fill(
    redis.store,
    A,
    { version, value },
    {
      partition: p.partition,
      epoch,
      lease,
      kind: 'document',
      ttlMs: HOUR,
    },
  );
}

async function leaseA(p: TestPartition, over: Parameters<TestPartition['look']>[1] = {}): Promise<string> {
  const found = await p.look('a', over);
  if (found.outcome !== 'miss' || found.lease === undefined) throw new Error('no lease');
  return found.lease;
}

async function voidA(p: TestPartition, over: { blockMs?: number } = {}): Promise<VoidTicket> {
  const ticket = await voidEntry(redis.store, A, {
    partition: p.partition,
    epoch: p.epoch,
    notAfter: () => Number.MAX_SAFE_INTEGER,
    token: token(),
    blockMs: HOUR,
    ...over,
  });
  if (ticket === undefined) throw new Error('late');
  return ticket;
}

function settleA(
  p: TestPartition,
  ticket: VoidTicket,
  over: { value?: string | null; committed?: boolean } = {},
) {
  return settleEntry(redis.store, A, ticket, {
    partition: p.partition,
    epoch: p.epoch,
    kind: 'document',
    value: '"new"',
    ttlMs: HOUR,
    committed: true,
    ...over,
  });
}

const DAY_US = 24 * 3_600_000_000;

/** What a block of one write looks like whose time has passed, without waiting for it. */
async function endBlock(p: TestPartition, agoUs = 1): Promise<void> {
  const block = await redis.raw.hget(p.keys.blocks, 'docs/a');
  await redis.raw.hset(
    p.keys.blocks,
    'docs/a',
    `${block?.split(' ')[0]} ${(await redisTime(redis.raw)) - agoUs}`,
  );
}

describe('a lookup', () => {
  test('of a copy of this epoch is a hit', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', '"x y"'));
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version, value: '"x y"' } });
  });

  test('of a copy of another epoch is a miss with a lease', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const epoch = await recoverPartition(redis.store, p.partition);
    const found = await p.look('a', { epoch, token: 'mine' });
    expect(found).toMatchObject({ outcome: 'miss', lease: 'mine', pending: { where: 'redis' } });
  });

  test('grants one lease at a time, and the next once that has ended', async () => {
    const p = await openPartition(redis);
    expect(await p.look('a', { token: 'one' })).toMatchObject({ lease: 'one' });
    expect(await p.look('a', { token: 'two' })).toMatchObject({
      outcome: 'miss',
      lease: undefined,
      held: true,
    });
    expect(await redis.raw.pttl(`${p.keys.entryPrefix}docs/a`)).toBeGreaterThan(0);
    await p.expire('docs/a');
    expect(await p.look('a', { token: 'three' })).toMatchObject({ lease: 'three' });
  });

  test('answers its own lease again', async () => {
    const p = await openPartition(redis);
    expect(await p.look('a', { token: 'one' })).toMatchObject({ lease: 'one' });
    expect(await p.look('a', { token: 'one' })).toMatchObject({ lease: 'one' });
  });

  test('lets a lease live as long as asked', async () => {
    const p = await openPartition(redis);
    await p.look('a', { leaseMs: 1_000 });
    const ttl = await redis.raw.pttl(`${p.keys.entryPrefix}docs/a`);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(1_000);
  });

  test('does not keep a lease of an older epoch', async () => {
    const p = await openPartition(redis);
    await p.look('a', { token: 'old' });
    const epoch = await recoverPartition(redis.store, p.partition);
    expect(await p.look('a', { epoch, token: 'new' })).toMatchObject({ lease: 'new' });
  });

  test('grants no lease while a write-through is under way, and again after it', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', lease: undefined, held: false });
    expect(await p.look('b')).toMatchObject({ lease: expect.any(String) });
    await settleA(p, ticket, { committed: false });
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', lease: expect.any(String) });
  });

  test('grants a lease again once a block has run out, and removes the block a day later', async () => {
    const p = await openPartition(redis);
    await voidA(p);
    await endBlock(p);
    expect(await p.look('a', { token: 'mine' })).toMatchObject({ lease: 'mine' });
    expect(await redis.raw.hexists(p.keys.blocks, 'docs/a')).toBe(1);
    await endBlock(p, DAY_US);
    expect(await p.look('a', { token: 'mine' })).toMatchObject({ lease: 'mine' });
    expect(await redis.raw.hexists(p.keys.blocks, 'docs/a')).toBe(0);
  });

  test('grants no lease for write-through entries until one block length after a new epoch', async () => {
    const p = await openPartition(redis, { blockMs: HOUR });
    expect(await p.look('a', { writeThrough: true })).toMatchObject({
      outcome: 'miss',
      lease: undefined,
      held: false,
    });
    expect(await p.look('b')).toMatchObject({ lease: expect.any(String) });
    await redis.raw.hset(p.keys.state, 'fills_from', (await redisTime(redis.raw)) - 1);
    expect(await p.look('a', { writeThrough: true })).toMatchObject({ lease: expect.any(String) });
  });
});

describe('what is pending', () => {
  test('is nothing where nobody wrote', async () => {
    const p = await openPartition(redis);
    await p.put('b', '1');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', pending: undefined });
  });

  test('is found in the open batch, a closed one, a sealed one, in Temporal, and then nowhere', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', '"x"'));
    const id = batchId(p.epoch, p.partition, 0);
    const held = { where: 'redis', batchId: id, mutation: { ...A, kind: 'document', version, value: '"x"' } };
    const pending = async () => {
      await p.expire('docs/a');
      const found = await p.look('a');
      if (found.outcome !== 'miss') throw new Error('hit');
      const seen = await inspect(redis.store, A, { partition: p.partition, epoch: p.epoch });
      if (found.pending === undefined || found.pending.where === 'nowhere') {
        expect(seen).toEqual({ cached: undefined, pending: found.pending });
        return found.pending;
      }
      const { newestFrom, ...pending } = found.pending;
      expect(seen).toEqual({ cached: undefined, pending });
      expect(newestFrom).toBeLessThan(version);
      return pending;
    };
    expect(await pending()).toEqual(held);
    staged(await p.put('b', '1', { limits: { entries: 1, bytes: 1_000 } }));
    expect(await pending()).toEqual(held);
    const { batch, slot } = sealed(await p.seal());
    expect(await pending()).toEqual(held);
    await confirmBatch(redis.store, batch, slot, 'run-1');
    expect(await pending()).toEqual({ where: 'temporal', batchId: id, slot, runId: 'run-1' });
    await redis.raw.hdel(p.keys.sent, id);
    expect(await pending()).toEqual({ where: 'nowhere', batchId: id });
    await releaseBatch(redis.store, {
      ...batch,
      batchId: id,
      entries: entriesOf(batch),
      setAside: [],
      outcome: 'persisted',
    });
    expect(await pending()).toBeUndefined();
  });

  test('is the newest where an older batch is in Temporal', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const { batch, slot } = sealed(await p.seal());
    await confirmBatch(redis.store, batch, slot, 'run-1');
    const { version, batchId: id } = staged(await p.put('a', '2'));
    await p.expire('docs/a');
    expect(await p.look('a')).toMatchObject({
      pending: { where: 'redis', batchId: id, mutation: { version, value: '2' } },
    });
  });

  test('may be a deletion', async () => {
    const p = await openPartition(redis);
    await p.put('a', null);
    await p.expire('docs/a');
    expect(await p.look('a')).toMatchObject({ pending: { where: 'redis', mutation: { value: null } } });
  });
});

test('an inspection shows copy and batch and changes nothing', async () => {
  const p = await openPartition(redis);
  const { version } = staged(await p.put('a', '1'));
  const before = await p.dump();
  expect(await inspect(redis.store, A, p)).toMatchObject({
    cached: { version, value: '1' },
    pending: { where: 'redis', mutation: { version, value: '1' } },
  });
  const none = { cached: undefined, pending: undefined };
  expect(await inspect(redis.store, { collection: 'docs', key: 'b' }, p)).toEqual(none);
  expect(await p.dump()).toEqual(before);
});

describe('a fill', () => {
  test('puts what was read into the cache, for the TTL', async () => {
    const p = await openPartition(redis);
    expect(await fillA(p, await leaseA(p), 7, '"row"')).toBe(true);
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version: 7, value: '"row"' } });
    expect(await redis.raw.pttl(`${p.keys.entryPrefix}docs/a`)).toBeGreaterThan(HOUR / 2);
  });

  test('keeps an entry that nobody ever wrote as absent', async () => {
    const p = await openPartition(redis);
    expect(await fillA(p, await leaseA(p), 0, null)).toBe(true);
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version: 0, value: null } });
  });

  test('works once for a lease, and not at all for another', async () => {
    const p = await openPartition(redis);
    const lease = await leaseA(p);
    expect(await fillA(p, `${lease}x`, 7, '1')).toBe(false);
    expect(await fillA(p, lease, 7, '1')).toBe(true);
    expect(await fillA(p, lease, 9, '2')).toBe(false);
    expect(await p.look('a')).toMatchObject({ state: { version: 7 } });
  });

  test('is void once the lease has expired', async () => {
    const p = await openPartition(redis);
    const lease = await leaseA(p);
    await p.expire('docs/a');
    expect(await fillA(p, lease, 7, '1')).toBe(false);
    expect(await p.look('a')).toMatchObject({ outcome: 'miss' });
  });

  test.each(['put', 'delete', 'increment'])('is void after a %s of the entry', async (kind) => {
    const p = await openPartition(redis);
    const lease = await leaseA(p);
    if (kind === 'put') await p.put('a', '"new"');
    else if (kind === 'delete') await p.put('a', null);
    else {
      // Another reader fills, a writer counts.
      await redis.raw.set(`${p.keys.entryPrefix}docs/a`, `V ${p.epoch} 2 c 4`);
      await stageWrite(redis.store, { collection: 'docs', key: 'a', by: 1 }, p.options());
    }
    const before = await p.dump();
    expect(await fillA(p, lease, 7, '"old"')).toBe(false);
    expect(await p.dump()).toEqual(before);
  });

  test('is void after a void, during it, and when it is over', async () => {
    const p = await openPartition(redis);
    const lease = await leaseA(p);
    const ticket = await voidA(p);
    expect(await fillA(p, lease, 7, '"old"')).toBe(false);
    await settleA(p, ticket, { committed: false });
    expect(await fillA(p, lease, 7, '"old"')).toBe(false);
    expect(await p.look('a')).toMatchObject({ outcome: 'miss' });
  });

  test('is void while the entry is blocked, even with the lease in place', async () => {
    const p = await openPartition(redis);
    await voidA(p);
    await redis.raw.set(`${p.keys.entryPrefix}docs/a`, `L ${p.epoch} mine`);
    expect(await fillA(p, 'mine', 7, '"old"')).toBe(false);
    await endBlock(p);
    expect(await fillA(p, 'mine', 7, '"old"')).toBe(true);
  });

  test('lasts a moment only where the end of a write-through is not known, until one of the entry is', async () => {
    const p = await openPartition(redis);
    const entry = `${p.keys.entryPrefix}docs/a`;
    await voidA(p);
    await endBlock(p);
    expect(await fillA(p, await leaseA(p), 7, '"old"')).toBe(true);
    expect(await redis.raw.pttl(entry)).toBeLessThanOrEqual(5_000);
    expect(await settleA(p, await voidA(p))).toBe('set');
    await p.expire('docs/a');
    expect(await fillA(p, await leaseA(p), 9, '"old"')).toBe(true);
    expect(await redis.raw.pttl(entry)).toBeGreaterThan(HOUR / 2);
  });

  test('is void after a release of the entry', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const { batch } = sealed(await p.seal());
    await p.expire('docs/a');
    const lease = await leaseA(p);
    await releaseBatch(redis.store, {
      ...batch,
      batchId: batch.id,
      entries: entriesOf(batch),
      setAside: [],
      outcome: 'persisted',
    });
    expect(await fillA(p, lease, 7, '"old"')).toBe(false);
  });

  test('is void in another epoch, whichever epoch the reader names', async () => {
    const p = await openPartition(redis);
    const lease = await leaseA(p);
    const epoch = await recoverPartition(redis.store, p.partition);
    expect(await fillA(p, lease, 7, '"old"', epoch)).toBe(false);
    expect(await p.look('a', { epoch })).toMatchObject({ outcome: 'miss' });
  });
});

describe('a void', () => {
  test('drops the copy, takes a version, and blocks', async () => {
    const p = await openPartition(redis);
    const { version } = staged(await p.put('a', '1'));
    const ticket = await voidA(p, { blockMs: 2_000 });
    expect(ticket.version).toBeGreaterThan(version);
    expect(ticket.version % 2).toBe(0);
    expect(ticket.blockEnds).toBe(ticket.takenAt + 2_000_000);
    expect(await redis.raw.exists(`${p.keys.entryPrefix}docs/a`)).toBe(0);
    expect(staged(await p.put('b', '1')).version).toBeGreaterThan(ticket.version);
  });

  test('does not run after its not-after instant', async () => {
    const p = await openPartition(redis);
    await p.put('a', '1');
    const before = await p.dump();
    const past = (await redisTime(redis.raw)) - 1;
    const late = await voidEntry(redis.store, A, {
      partition: p.partition,
      epoch: p.epoch,
      notAfter: () => past,
      token: 't',
      blockMs: 1,
    });
    expect(late).toBeUndefined();
    expect(await p.dump()).toEqual(before);
  });

  test('never gives a version twice, also where the clock is ahead of the time', async () => {
    const p = await openPartition(redis, { clock: (await redisTime(redis.raw)) + 3_600_000_000 });
    const versions = [await voidA(p), await voidA(p)].map((ticket) => ticket.version);
    versions.push(staged(await p.put('b', '1')).version);
    expect(new Set(versions).size).toBe(3);
    expect(versions.toSorted((x, y) => x - y)).toEqual(versions);
  });

  test('removes blocks of others that ran out a day ago, and only those', async () => {
    const p = await openPartition(redis);
    const now = await redisTime(redis.raw);
    for (let i = 0; i < 6; i += 1) await redis.raw.hset(p.keys.blocks, `docs/old${i}`, `t ${now - DAY_US}`);
    await redis.raw.hset(p.keys.blocks, 'docs/doubt', `t ${now - DAY_US / 2}`);
    for (let i = 0; (await redis.raw.hlen(p.keys.blocks)) > 2; i += 1) {
      expect(i).toBeLessThan(200);
      await voidA(p);
    }
    expect((await redis.raw.hkeys(p.keys.blocks)).sort()).toEqual(['docs/a', 'docs/doubt']);
  });
});

describe('a block', () => {
  const block = (p: TestPartition) => redis.raw.hget(p.keys.blocks, 'docs/a');

  test('is that of the older write again where the newer one fails, and is gone once both have', async () => {
    const p = await openPartition(redis);
    const first = await voidA(p);
    const before = await block(p);
    const second = await voidA(p);
    await settleA(p, second, { committed: false });
    expect(await block(p)).toBe(before);
    await settleA(p, first, { committed: false });
    expect(await block(p)).toBeNull();
  });

  test('of a newer write stands while an older one fails or commits', async () => {
    const p = await openPartition(redis);
    const tickets = [await voidA(p), await voidA(p), await voidA(p)] as const;
    await settleA(p, tickets[0], { committed: false });
    await settleA(p, tickets[1]);
    expect(await block(p)).toBe(`${tickets[2].token} ${tickets[2].blockEnds}`);
    expect(await settleA(p, tickets[2])).toBe('set');
  });

  test('as older versions wrote it is ended by its own write only', async () => {
    const p = await openPartition(redis);
    const ends = (await redisTime(redis.raw)) + HOUR * 1_000;
    await redis.raw.hset(p.keys.blocks, 'docs/a', `old ${ends}`);
    const ticket = await voidA(p);
    await settleA(p, ticket, { committed: false });
    expect(await block(p)).toBe(`old ${ends}`);
    await settleA(p, { ...ticket, token: 'old' }, { committed: false });
    expect(await block(p)).toBeNull();
  });

  test('does not grow without bound where many are in doubt', async () => {
    const p = await openPartition(redis);
    for (let i = 0; i < 100; i++) await voidA(p);
    expect((await block(p))?.split(',')).toHaveLength(33);
    const ticket = await voidA(p);
    expect(await settleA(p, ticket, { committed: false })).toBe('dropped');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', lease: undefined });
    expect(await settleA(p, await voidA(p))).toBe('set');
    expect(await block(p)).toBeNull();
  });
});

describe('the last step of a write-through', () => {
  test('sets the value and ends the block', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    expect(await settleA(p, ticket)).toBe('set');
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version: ticket.version, value: '"new"' } });
    expect(await redis.raw.exists(p.keys.blocks)).toBe(0);
    expect(await redis.raw.pttl(`${p.keys.entryPrefix}docs/a`)).toBeGreaterThan(HOUR / 2);
  });

  test('sets a deletion as absent', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    expect(await settleA(p, ticket, { value: null })).toBe('set');
    expect(await p.look('a')).toEqual({ outcome: 'hit', state: { version: ticket.version, value: null } });
  });

  test('only drops where the commit changed no row', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    expect(await settleA(p, ticket, { committed: false })).toBe('dropped');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', lease: expect.any(String) });
  });

  test('only drops once its block has run out: others may fill from then on', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    await endBlock(p);
    expect(await settleA(p, ticket)).toBe('dropped');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss' });
  });

  test('drops an older copy that was filled after its block had run out', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    await endBlock(p);
    await fillA(p, await leaseA(p), ticket.version - 2, '"old"');
    expect(await settleA(p, ticket)).toBe('dropped');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss' });
  });

  test('ends what is in doubt, its own and what came before', async () => {
    const p = await openPartition(redis);
    const tickets = [await voidA(p), await voidA(p)] as const;
    await settleA(p, tickets[1]);
    expect(await redis.raw.exists(p.keys.blocks)).toBe(0);
    const late = await voidA(p);
    await endBlock(p);
    await settleA(p, late, { committed: false });
    expect(await redis.raw.exists(p.keys.blocks)).toBe(0);
  });

  test('only drops where another write-through has taken the block, and leaves that', async () => {
    const p = await openPartition(redis);
    const first = await voidA(p);
    const second = await voidA(p);
    expect(await settleA(p, first, { value: '"first"' })).toBe('dropped');
    expect(await p.look('a')).toMatchObject({ outcome: 'miss', lease: undefined });
    expect(await settleA(p, second, { value: '"second"' })).toBe('set');
    expect(await p.look('a')).toMatchObject({ state: { version: second.version, value: '"second"' } });
    expect(await settleA(p, first, { value: '"first"' })).toBe('dropped');
    expect(await p.look('a')).toMatchObject({ state: { version: second.version } });
  });

  test('keeps a newer copy, with or without the block', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    const copy = `V ${p.epoch} ${ticket.version + 2} d "newer"`;
    await redis.raw.set(`${p.keys.entryPrefix}docs/a`, copy);
    expect(await settleA(p, ticket)).toBe('dropped');
    expect(await settleA(p, ticket)).toBe('dropped');
    expect(await redis.raw.get(`${p.keys.entryPrefix}docs/a`)).toBe(copy);
  });

  test('drops a lease: its reader may have read the older row', async () => {
    const p = await openPartition(redis);
    const ticket = await voidA(p);
    await endBlock(p);
    const lease = await leaseA(p);
    expect(await settleA(p, ticket)).toBe('dropped');
    expect(await fillA(p, lease, ticket.version - 2, '"old"')).toBe(false);
  });

  test('raises the clock to its version', async () => {
    const p = await openPartition(redis);
    const version = (await redisTime(redis.raw)) + 3_600_000_000;
    await settleA(p, { token: 't', version, blockEnds: 0, takenAt: 0 });
    expect(staged(await p.put('b', '1')).version).toBeGreaterThan(version);
  });
});
