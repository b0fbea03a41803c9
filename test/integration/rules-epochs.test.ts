import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { type Epoch, epochNumber, nextEpoch } from '../../domain/epoch.ts';
import { createOffers } from '../../service/offer-batch.ts';
import { recoverPartition } from '../../service/recovery.ts';
import { readFence, replaceFence } from '../../storage/postgres/fence.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { currentEpoch } from '../../storage/redis/recover.ts';
import { startRedis } from '../support/services-redis.ts';
import { holding } from './postgres-fixture.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  gate,
  type Part,
  queued,
  VIEWS,
  type World,
  within,
} from './rules-fixture.ts';
import { sealOnly } from './rules-steps.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const NOTHING_SEEN = { minEpochNumber: 0, seenVersion: 0, onFence: () => {} };

test('rule 1: who waits for a batch that survived in Redis from an older epoch learns that its outcome is unknown, and the write goes on under a new id', async () => {
  const part = await world.part({}, { alive: true });
  const epoch = await epochOf(part);
  // Nobody offers it, so it is still in Redis when that comes back with its data.
  part.flusher.stop();
  const write = part.behind.write(CARTS, 'k', '"kept"', queued());
  const refused = expect(write).rejects.toMatchObject({ code: 'outcome-unknown' });
  await until(() => world.raw.hlen('hf:{p00}:open'), { what: 'the staged write' });
  await world.restartWithData();
  await refused;
  const closed = await world.raw.hkeys('hf:{p00}:closed');
  expect(closed).toHaveLength(1);
  expect(closed[0]?.startsWith(`${epoch}.`)).toBe(false);
  expect(await part.flusher.flush(within(20_000))).toBe(true);
  await world.raw.flushall();
  const { state } = await part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) });
  expect(state.value).toBe('"kept"');
});

test('a batch that Temporal took while Redis was recovered is the recovery’s, and the log says nothing else', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '1', cached());
  const sealed = await sealOnly(part);
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  part.before('confirm', async () => {
    await world.restartWithData();
    await epochOf(part);
  });
  await createOffers({ ...part.ctx, log }, part.waiters).offer(sealed);
  expect(lines).toEqual([
    'Redis was restarted or recovered while the batch was on its way; the recovery decides about it',
  ]);
});

test('rule 3: a new epoch gives out no version that a clock within the tolerance may have given out before', async () => {
  const tolerance = 3_000;
  const part = await world.part({ CLOCK_TOLERANCE_MS: String(tolerance) });
  const latest = (Date.now() + tolerance) * 1_000;
  const receipt = await part.behind.write(CARTS, 'k', '1', cached());
  expect(receipt.version).toBeGreaterThan(latest);
});

test('rule 3: the clock in PostgreSQL is read after the slots: what was committed meanwhile is covered', async () => {
  const part = await world.part();
  const ahead = (Date.now() + 2_500) * 1_000;
  let asked = 0;
  part.temporalHook(async () => {
    if (asked++ === 0) await sql`UPDATE partition_clocks SET clock = ${ahead}`.execute(part.ctx.db);
  });
  const receipt = await part.behind.write(CARTS, 'k', '1', cached());
  expect(asked).toBeGreaterThan(0);
  expect(receipt.version).toBeGreaterThan(ahead);
});

test('rule 3: a version that only this process has seen is not given out again', async () => {
  const part = await world.part();
  await epochOf(part);
  const seen = (Date.now() + 2_500) * 1_000;
  part.epochs.noteVersion(0, seen);
  await world.raw.flushall();
  const receipt = await part.behind.write(CARTS, 'k', '1', cached());
  expect(receipt.version).toBeGreaterThan(seen);
});

test('rule 3: a clock of Redis that is far behind is no wait but trouble, and says what to do', async () => {
  const part = await world.part();
  await sql`UPDATE partition_clocks SET clock = ${(Date.now() + 60_000) * 1_000}`.execute(part.ctx.db);
  await expect(part.behind.write(CARTS, 'k', '1', cached())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    message: expect.stringContaining('set the clocks right'),
  });
});

test('an older Redis that comes back still running is recovered: its copies are not read, and what is queued through it is persisted', async () => {
  const before = await world.part();
  await before.behind.write(CARTS, 'k', '"old"', cached());
  const elsewhere = await startRedis();
  try {
    // All processes move to another Redis, and later back to the first one, which never ended.
    const moved = await world.part({ REDIS_URL: elsewhere.url });
    const { version } = await moved.behind.write(CARTS, 'k', '"new"', cached());
    expect(await moved.flusher.flush(within(20_000))).toBe(true);
    const back = await world.part({}, { alive: true });
    await world.withWorker(async () => {
      const read = await back.reader.read(CARTS, 'k', { deadlineAt: within(20_000) });
      expect(read.state).toMatchObject({ version, value: '"new"' });
      const written = back.behind.write(CARTS, 'other', '1', {
        deadlineAt: within(20_000),
        durability: 'persisted',
      });
      expect((await written).state).toBe('persisted');
    });
  } finally {
    await elsewhere.stop();
  }
});

/** As a recovery on another Redis that came as far as the fence. */
const moveFence = (part: Part, epoch: Epoch) =>
  replaceFence(part.ctx.db, {
    partition: 0,
    expected: epoch,
    epoch: nextEpoch('other', epoch),
    adopted: [],
  });

test('an epoch that the fence has left behind is not taken again, although no recovery came to its end since', async () => {
  const part = await world.part();
  const epoch = await epochOf(part);
  // Another Redis was recovered in between as far as the fence, and this one is back as it was.
  const replaced = await moveFence(part, epoch);
  expect(replaced).toBeDefined();
  const state = await world.raw.hgetall('hf:{p00}:state');
  await world.raw.del('hf:{p00}:state');
  part.before('hello', async () => void (await world.raw.hset('hf:{p00}:state', state)));
  const now = await epochOf(part);
  expect(epochNumber(now)).toBeGreaterThan(epochNumber(epoch) + 1);
  expect((await readFence(part.ctx.db, 0)).epoch).toBe(now);
});

test('what PostgreSQL says of epochs counts also where it says it late, and where a recovery of its own got no further', async () => {
  const part = await world.part({ POSTGRES_TIMEOUT_MS: '10000' });
  const epoch = await epochOf(part);
  await moveFence(part, epoch);
  const { db } = (await world.part()).ctx;
  const release = await holding(db, sql`LOCK TABLE topology IN ACCESS EXCLUSIVE MODE`);
  // Looked for anew, while PostgreSQL does not answer: taken as Redis has it.
  const fresh = await world.part({ POSTGRES_TIMEOUT_MS: '10000' });
  expect(await epochOf(fresh)).toBe(epoch);
  await release();
  await until(async () => (await epochOf(fresh)) !== epoch, { what: 'another epoch' });
  expect(epochNumber(await epochOf(fresh))).toBeGreaterThan(epochNumber(epoch) + 1);
});

test('behind a new connection there may be an older Redis: the epoch is looked for anew', async () => {
  const part = await world.part();
  const epoch = await epochOf(part);
  // Others moved to another Redis, as far as the fence, and this process noticed nothing of it.
  await moveFence(part, epoch);
  expect(await epochOf(part)).toBe(epoch);
  await world.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(() => part.ctx.redis.reconnectedAt() > 0, { what: 'a new connection' });
  expect(epochNumber(await epochOf(part))).toBeGreaterThan(epochNumber(epoch) + 1);
});

test('a primary that was demoted for a lagging replica and is primary again has lost its memory, although it never restarted', async () => {
  const replica = await startRedis();
  const other = new Redis(replica.url);
  const synced = (redis: Redis) =>
    until(async () => (await redis.info('replication')).includes('master_link_status:up'), {
      what: 'the replica to follow',
    });
  try {
    await world.withWorker(async () => {
      const part = await world.part({}, { alive: true });
      const add = (by: number) =>
        part.behind.increment(VIEWS, 'k', by, { deadlineAt: within(20_000), durability: 'persisted' });
      await add(10);
      await other.replicaof('127.0.0.1', world.redis.port);
      await synced(other);
      await other.replicaof('NO', 'ONE');
      // A first replica makes a new history, and nothing is lost by that.
      const epoch = await epochOf(part);
      expect((await add(40)).value).toBe(50);
      expect(await epochOf(part)).toBe(epoch);
      await world.raw.replicaof('127.0.0.1', replica.port);
      await synced(world.raw);
      await world.raw.replicaof('NO', 'ONE');
      expect((await add(1)).value).toBe(51);
      expect(await epochOf(part)).not.toBe(epoch);
    });
  } finally {
    other.disconnect();
    await replica.stop();
  }
});

test('after another topology was recorded every partition is recovered: it has the new slots, and no copy from before', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '"old"', cached());
  expect(await part.flusher.flush(within(20_000))).toBe(true);
  await world.withWorker(() =>
    until(async () => (await world.raw.hlen('hf:{p00}:sent')) === 0, { what: 'the batch to be persisted' }),
  );
  const { db } = part.ctx;
  await sql`DELETE FROM topology`.execute(db);
  await recordTopology(db, { partitions: 1, slots: 9, namespace: part.ctx.environment.TEMPORAL_NAMESPACE });
  await sql`UPDATE documents SET version = version + 2, value = '"written in another partition"'`.execute(db);
  for (const process of [1, 2]) {
    const now = await world.part({ SLOTS: '9' });
    const { state } = await now.reader.read(CARTS, 'k', { deadlineAt: within(20_000) });
    expect(state.value, `process ${process}`).toBe('"written in another partition"');
    expect(await world.raw.llen('hf:{p00}:free')).toBe(9);
  }
  // Once is enough.
  const { rows } = await sql`SELECT epoch FROM partition_clocks`.execute(db);
  await epochOf(await world.part({ SLOTS: '9' }));
  expect((await sql`SELECT epoch FROM partition_clocks`.execute(db)).rows).toEqual(rows);
});

test('rule 12: the lock is taken before any slot is asked', async () => {
  const [part, other] = [await world.part(), await world.part()];
  let meanwhile: unknown = 'not asked';
  part.temporalHook(async () => {
    part.temporalHook(undefined);
    meanwhile = await recoverPartition(other.ctx, 0, NOTHING_SEEN);
  });
  const epoch = await recoverPartition(part.ctx, 0, NOTHING_SEEN);
  expect(meanwhile).toBeUndefined();
  expect(epoch).toBeDefined();
  expect((await currentEpoch(part.ctx.redis, 0)).epoch).toBe(epoch);
});

test('rule 12: afterwards the index names the holder of the highest version, whether that is Temporal or Redis', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'a', '"sent"', cached());
  await part.behind.write(CARTS, 'b', '"sent"', cached());
  expect(await part.flusher.flush(within(20_000))).toBe(true);
  await part.behind.write(CARTS, 'b', '"staged"', cached());
  await world.restartWithData();
  const read = async (key: string) =>
    (await part.reader.read(CARTS, key, { deadlineAt: within(20_000) })).state.value;
  expect([await read('a'), await read('b')]).toEqual(['"sent"', '"staged"']);
});

test('rule 13: a write that gives up waiting is cached only if its epoch is still the current one', async () => {
  const part = await world.part();
  await epochOf(part);
  const same = await part.behind.write(CARTS, 'same', '1', queued(700));
  expect(same.state).toBe('cached');

  const invalid = part.behind.write(CARTS, 'invalid', '1', queued(1_500));
  const refused = expect(invalid).rejects.toMatchObject({ code: 'outcome-unknown' });
  await until(() => world.raw.exists('hf:{p00}:e:carts/invalid'), { what: 'the staged write' });
  await world.restartWithData();
  await refused;

  await epochOf(part);
  const other = await world.part();
  const older = part.behind.write(CARTS, 'older', '1', queued(3_000));
  const refusedToo = expect(older).rejects.toMatchObject({ code: 'outcome-unknown' });
  await until(() => world.raw.exists('hf:{p00}:e:carts/older'), { what: 'the staged write' });
  await world.restartWithData();
  await epochOf(other);
  await refusedToo;
});

test('rule 15: a recovery that was overtaken leaves the fence of the faster one alone', async () => {
  const [slow, fast] = [await world.part(), await world.part()];
  const [locked, goOn] = [gate(), gate()];
  slow.after('lock', async () => {
    locked.open();
    await goOn.opened;
  });
  const overtaken = recoverPartition(slow.ctx, 0, NOTHING_SEEN);
  await locked.opened;
  // The lock goes with Redis' memory, and another process recovers.
  await world.raw.flushall();
  const epoch = await epochOf(fast);
  goOn.open();
  expect(await overtaken).toBeUndefined();
  expect((await readFence(fast.ctx.db, 0)).epoch).toBe(epoch);

  await fast.behind.write(CARTS, 'k', '1', cached());
  const sealed = await sealOnly(fast);
  expect((await persistBatch(fast.ctx.db, sealed.batch)).outcome).toBe('persisted');
});

test('rule 15: a batch that a recovery did not see in its slot is refused, also by a direct persist', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '"late"', cached());
  const sealed = await sealOnly(part);
  await world.raw.flushall();
  await epochOf(await world.part());
  const away = await world.part({ TEMPORAL_ADDRESS: '127.0.0.1:1', DIRECT_PERSIST_AFTER_MS: '10' });
  const fate = away.waiters.wait(
    sealed.batch.id,
    [{ collection: 'carts', key: 'k', version: 2 }],
    'queued',
    20_000,
  );
  await away.offers.offer(sealed);
  expect((await fate).level).toBe('unknown');
  const { rows } = await sql`SELECT 1 FROM documents`.execute(part.ctx.db);
  expect(rows).toEqual([]);
});

test('rule 17: a counter that survived in Redis is dropped unless it is above its row', async () => {
  const part = await world.part();
  for (let i = 0; i < 3; i++) await part.behind.increment(VIEWS, 'counted', 1, cached());
  const { version } = await part.behind.increment(VIEWS, 'newer', 1, cached());
  // What an older snapshot brings back was persisted long ago, and more since.
  await sql`INSERT INTO counters (collection, key, version, value, deleted)
    VALUES ('page-views', 'counted', ${version + 2}, 10, false)`.execute(part.ctx.db);
  await world.restartWithData();
  expect((await part.behind.increment(VIEWS, 'counted', 1, cached())).value).toBe(11);
  expect((await part.behind.increment(VIEWS, 'newer', 1, cached())).value).toBe(2);
  const survivors = (await world.raw.hvalsBuffer('hf:{p00}:closed')).map((content) =>
    content.toString('latin1'),
  );
  expect(survivors.join()).toContain('page-views/newer');
  expect(survivors.join()).not.toContain('page-views/counted');
});

test('a lost answer of the lock does not keep everybody waiting until it expires', async () => {
  const part = await world.part();
  part.after('lock', () => {
    throw new Error('Connection is closed.');
  });
  await expect(recoverPartition(part.ctx, 0, NOTHING_SEEN)).rejects.toThrow();
  const other = await world.part();
  await until(async () => await recoverPartition(other.ctx, 0, NOTHING_SEEN), {
    what: 'another recovery',
    timeoutMs: 5_000,
  });
});

test('a partition that cannot be recovered does not keep the waiting writes of others without news', async () => {
  const two = await createWorld({ partitions: 2 });
  try {
    const part = await two.part({}, { alive: true });
    await sql`DELETE FROM partition_clocks WHERE partition = 0`.execute(part.ctx.db);
    // Of an epoch that has ended: asking tells that nobody knows what became of it.
    const stuck = part.waiters.wait(
      '1-ended.p00.0',
      [{ collection: 'carts', key: 'a', version: 2 }],
      'queued',
      4_000,
    );
    const other = part.waiters.wait(
      '1-ended.p01.0',
      [{ collection: 'carts', key: 'b', version: 2 }],
      'queued',
      4_000,
    );
    expect([(await stuck).level, (await other).level]).toEqual(['timeout', 'unknown']);
  } finally {
    await two.close();
  }
});
