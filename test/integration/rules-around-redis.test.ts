import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { createCacheRepairs } from '../../service/cache-repairs.ts';
import { createDeadLetters } from '../../service/dead-letters.ts';
import { RedisUnreachable } from '../../storage/redis/errors.ts';
import { tellRedis } from '../../worker/tell-redis.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  CARTS,
  cached,
  createWorld,
  gate,
  ORDERS,
  type Part,
  queued,
  type World,
  within,
} from './rules-fixture.ts';

let world: World;
let proxy: TcpProxy;
beforeEach(async () => {
  world = await createWorld();
  proxy = await startTcpProxy({ port: world.redis.port });
});
afterEach(async () => {
  await proxy.close();
  await world.close();
});

/** A process whose connection to Redis is cut; `proxy` can bring it back. */
async function cutOff(): Promise<Part> {
  const part = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
  proxy.refuse(true);
  const gone = () =>
    part.ctx.redis.ping().then(
      () => false,
      () => true,
    );
  await until(gone, { what: 'the connection to be cut' });
  return part;
}
const copyOf = (key: string) => world.raw.get(`hf:{p00}:e:orders/${key}`);

test('an outage with many writes leaves about one order a second to drop older copies, and no write waits in vain', async () => {
  const part = await cutOff();
  let orders = 0;
  part.temporalHook(() => {
    orders += 1;
  });
  const began = performance.now();
  const writes: Promise<{ readonly state: string }>[] = [];
  for (let i = 0; i < 30; i++) {
    await until(() => performance.now() - began >= i * 100, { what: 'the next write', everyMs: 5 });
    writes.push(part.through.write(ORDERS, `k${i}`, '1', { deadlineAt: within(10_000) }));
  }
  expect(new Set((await Promise.all(writes)).map(({ state }) => state))).toEqual(new Set(['persisted']));
  expect(orders).toBeGreaterThan(0);
  expect(orders).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - began) / 1_000));
});

test('a condition of a process that is back holds against what others wrote around Redis, not against an older copy', async () => {
  const wasAway = await startTcpProxy({ port: world.redis.port });
  try {
    const back = await world.part({ REDIS_URL: `redis://127.0.0.1:${wasAway.port}` });
    const former = await back.behind.write(CARTS, 'k', '"former"', cached());
    const around = await (await cutOff()).behind.write(CARTS, 'k', '"around"', queued());
    expect(around.state).toBe('persisted');
    const cutAt = performance.now();
    wasAway.cut();
    await until(() => back.ctx.redis.reconnectedAt() > cutAt, { what: 'the connection to be back' });
    const put = (ifVersion: number) =>
      back.behind.write(CARTS, 'k', '"next"', { ...cached(), condition: { ifVersion } });
    await expect(put(former.version)).rejects.toMatchObject({
      code: 'precondition-failed',
      details: { currentVersion: around.version },
    });
    const next = await put(around.version);
    expect(next.version).toBeGreaterThan(around.version);
    await expect(put(around.version)).rejects.toMatchObject({ details: { currentVersion: next.version } });
  } finally {
    await wasAway.close();
  }
});

test('a commit that answers after its request was given up is told to Redis as soon as it is back', async () => {
  const whole = await world.part();
  await whole.through.write(ORDERS, 'k', '"former"', { deadlineAt: within(20_000) });
  expect(await copyOf('k')).toContain('"former"');
  const part = await cutOff();
  const { commitEntry } = part.ctx;
  const answered = gate();
  Object.assign(part.ctx, {
    commitEntry: async (...commit: Parameters<typeof commitEntry>) => {
      const answer = await commitEntry(...commit);
      await answered.opened;
      return answer;
    },
  });
  const write = part.through.write(ORDERS, 'k', '"late"', { deadlineAt: within(3_000) });
  await expect(write).rejects.toMatchObject({ code: 'outcome-unknown' });
  proxy.refuse(false);
  await until(() => part.ctx.redis.ping().then(() => true), { what: 'Redis to be back' });
  expect(await copyOf('k')).toContain('"former"');
  answered.open();
  await until(async () => (await copyOf('k')) === null, { what: 'the former copy to be dropped' });
});

test('a process that starts when Redis is back after long holds copies against rows while workers have yet to tell it', async () => {
  const { redis, db } = (await cutOff()).ctx;
  const order = {
    partition: 0,
    entries: [{ collection: 'orders', key: 'k', version: 3 }],
    installation: undefined,
  };
  // The note of the write itself has ended.
  await sql`UPDATE partition_clocks SET around_until = ${(Date.now() - 1_000) * 1_000}`.execute(db);
  await expect(tellRedis({ redis, db }, order)).rejects.toBeInstanceOf(RedisUnreachable);
  const fresh = await world.part();
  await fresh.suspicion.learn();
  expect(fresh.suspicion.active()).toBe(true);
  // A note that is ahead is left alone, and one that cannot be made changes nothing.
  await sql`UPDATE partition_clocks SET around_until = ${(Date.now() + 120_000) * 1_000}`.execute(db);
  const noted = () => sql`SELECT around_until, xmin FROM partition_clocks`.execute(db);
  const { rows } = await noted();
  await expect(tellRedis({ redis, db }, order)).rejects.toBeInstanceOf(RedisUnreachable);
  expect((await noted()).rows).toEqual(rows);
  const away = await world.part({ DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' });
  await expect(tellRedis({ redis, db: away.ctx.db }, order)).rejects.toBeInstanceOf(RedisUnreachable);
});

test('the retry of a dead letter is on record as a write around Redis, for processes that start later', async () => {
  const { ctx } = await cutOff();
  const { rows } = await sql<{ id: number }>`
    INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, state, sqlstate, message)
    VALUES ('carts', 'k', 0, 'any', 3, 'document', '"late"', 'dead', '23514', 'refused') RETURNING id`.execute(
    ctx.db,
  );
  const { retryDeadLetter } = createDeadLetters(ctx, createCacheRepairs(ctx));
  await retryDeadLetter(rows[0]?.id ?? 0, { by: 'a test' }, { deadlineAt: within(20_000) });
  const fresh = await world.part();
  expect(fresh.suspicion.active()).toBe(false);
  await fresh.suspicion.learn();
  expect(fresh.suspicion.active()).toBe(true);
});

test('that there never was an entry is read from the cache also while copies may be older, and once tombstones were pruned', async () => {
  const part = await world.part();
  const read = async () => (await part.reader.read(ORDERS, 'k', { deadlineAt: within(10_000) })).source;
  await read();
  await world.raw.hset('hf:{p00}:state', 'fills_from', '0');
  await sql`UPDATE pruning SET floor = 1000`.execute(part.ctx.db);
  await sql`UPDATE partition_clocks SET around_until = ${(Date.now() + 60_000) * 1_000}`.execute(part.ctx.db);
  await part.suspicion.learn();
  expect(part.suspicion.active()).toBe(true);
  expect([await read(), await read(), await read()]).toEqual(['row', 'cache', 'cache']);
});
