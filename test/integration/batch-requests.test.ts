import { sql } from 'kysely';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import type { Collection } from '../../domain/collection.ts';
import { HoldfastError } from '../../domain/errors.ts';
import type { BatchOperation } from '../../service/batch-operation.ts';
import { RedisOutcomeUnknown } from '../../storage/redis/errors.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  gate,
  ORDERS,
  type Part,
  queued,
  VIEWS,
  type World,
  within,
} from './rules-fixture.ts';

const BALANCES: Collection = { ...ORDERS, name: 'balances', kind: 'counter' };

let world: World;
let part: Part;
let other: Part;
beforeAll(async () => {
  world = await createWorld({ partitions: 2 });
  [part, other] = [await world.part({ POSTGRES_TIMEOUT_MS: '2000' }), await world.part()];
});
afterAll(() => world.close());

const put = (collection: Collection, key: string, value: string, ifVersion?: number): BatchOperation => ({
  op: 'put',
  collection,
  key,
  value,
  condition: ifVersion === undefined ? undefined : { ifVersion },
});
const add = (collection: Collection, key: string, by: number): BatchOperation => ({
  op: 'increment',
  collection,
  key,
  by,
});
const value = async (collection: Collection, key: string, of = part) =>
  (await of.reader.read(collection, key, cached())).state.value;
const rows = async (prefix: string) =>
  (
    await sql<{ key: string; value: string; version: number }>`
      SELECT key, value::text AS value, version FROM documents WHERE key LIKE ${`${prefix}%`} AND NOT deleted
      UNION ALL SELECT key, value::text, version FROM counters WHERE key LIKE ${`${prefix}%`} AND NOT deleted
      ORDER BY key`.execute(part.ctx.db)
  ).rows;
const blocks = async () =>
  (await Promise.all([0, 1].map((p) => world.raw.hlen(`hf:{p0${p}}:blocks`)))).reduce((a, b) => a + b);

test('writes of one entry happen in the order of the batch, whatever they wait for', async () => {
  const alive = await world.part({}, { alive: true });
  const operations = [
    ...Array.from({ length: 20 }, (_, i) => put(CARTS, 'ordered', String(i))),
    ...Array.from({ length: 20 }, (_, i) => add(VIEWS, 'ordered', i)),
    put(ORDERS, 'ordered', '"a"'),
    put(ORDERS, 'ordered', '"b"'),
  ];
  const results = await alive.many(operations, queued());
  expect(results.filter((one) => one instanceof HoldfastError)).toEqual([]);
  const versions = results.map((one) => (one as { version: number }).version);
  for (const [from, to] of [
    [0, 20],
    [20, 40],
    [40, 42],
  ] as const) {
    const some = versions.slice(from, to);
    expect(some).toEqual([...some].sort((a, b) => a - b));
  }
  expect([
    await value(CARTS, 'ordered'),
    await value(VIEWS, 'ordered'),
    await value(ORDERS, 'ordered'),
  ]).toEqual(['19', '190', '"b"']);
});

test('writes that wait for the queue share its batches', async () => {
  const alive = await world.part({}, { alive: true });
  const before = alive.sent.length;
  const results = await alive.many(
    Array.from({ length: 100 }, (_, i) => put(CARTS, `group-${i}`, '1')),
    queued(),
  );
  expect(results.every((one) => !(one instanceof HoldfastError) && one.state !== 'cached')).toBe(true);
  // Two partitions, and what was staged while the first batches were on their way.
  expect(alive.sent.slice(before).filter((script) => script === 'confirm').length).toBeLessThan(12);
});

test('after an unknown outcome nothing more is done to that entry', async () => {
  await epochOf(part);
  part.after('stage', () => {
    throw new RedisOutcomeUnknown('Connection is closed.');
  });
  const results = await part.many([put(CARTS, 'doubt', '1'), put(CARTS, 'doubt', '2')], cached());
  expect(results.map((one) => (one as HoldfastError).code)).toEqual([
    'outcome-unknown',
    'dependency-unavailable',
  ]);
  expect(await value(CARTS, 'doubt')).toBe('1');
});

test('an atomic batch writes documents and counters of several partitions, and caches them', async () => {
  await part.through.write(ORDERS, 'all-gone', '1', cached());
  await part.through.increment(BALANCES, 'all-sum', 5, cached());
  const receipts = await part.together(
    [
      ...Array.from({ length: 8 }, (_, i) => put(ORDERS, `all-${i}`, `{"n": 9007199254740993, "i": ${i}}`)),
      { op: 'delete', collection: ORDERS, key: 'all-gone' },
      add(BALANCES, 'all-sum', 37),
    ],
    cached(),
  );
  expect(receipts.map(({ state, created }) => [state, created])).toEqual([
    ...Array.from({ length: 8 }, () => ['persisted', true]),
    ['persisted', false],
    ['persisted', false],
  ]);
  expect(receipts.at(-1)?.value).toBe(42);
  const found = await rows('all-');
  expect(found.map(({ key }) => key)).toEqual([
    ...Array.from({ length: 8 }, (_, i) => `all-${i}`),
    'all-sum',
  ]);
  for (const [i, { version }] of receipts.slice(0, 8).entries()) expect(found[i]?.version).toBe(version);
  const copy = await other.reader.read(ORDERS, 'all-3', cached());
  expect(copy).toMatchObject({ source: 'cache', state: { value: '{"n": 9007199254740993, "i": 3}' } });
  expect(await value(ORDERS, 'all-gone')).toBeNull();
  expect(await blocks()).toBe(0);
  // The stored clocks cover what was committed: a recovery relies on them.
  const { rows: behind } = await sql`SELECT 1 FROM partition_clocks
    WHERE clock < (SELECT max(version) FROM documents) AND partition = 0`.execute(part.ctx.db);
  expect(behind.length).toBeLessThanOrEqual(1);
});

test('one operation that cannot happen stops all of an atomic batch, and is named', async () => {
  const { version } = await part.through.write(ORDERS, 'stop-a', '1', cached());
  await part.through.write(BALANCES, 'stop-c', String(Number.MAX_SAFE_INTEGER), cached());
  const fine = [put(ORDERS, 'stop-a', '2', version), put(ORDERS, 'stop-b', '2')];
  await expect(part.together([...fine, put(ORDERS, 'stop-d', '2', 12)], cached())).rejects.toMatchObject({
    code: 'precondition-failed',
    details: { currentVersion: 0, errors: [{ path: '/operations/2/ifMatch' }] },
  });
  await expect(part.together([...fine, add(BALANCES, 'stop-c', 1)], cached())).rejects.toMatchObject({
    code: 'counter-overflow',
    details: { errors: [{ path: '/operations/2/by' }] },
  });
  expect((await rows('stop-')).map(({ key, value }) => [key, value])).toEqual([
    ['stop-a', '1'],
    ['stop-c', String(Number.MAX_SAFE_INTEGER)],
  ]);
  expect(await value(ORDERS, 'stop-a')).toBe('1');
  expect(await blocks()).toBe(0);
});

test('an atomic batch that waits for a lock in vain leaves nothing', async () => {
  await part.through.write(ORDERS, 'lock-b', '"before"', cached());
  const pool = new Pool({ connectionString: world.databaseUrl, max: 1 });
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query("SELECT 1 FROM documents WHERE key = 'lock-b' FOR UPDATE");
    const batch = part.together([put(ORDERS, 'lock-a', '1'), put(ORDERS, 'lock-b', '2')], {
      deadlineAt: within(5_000),
    });
    await expect(batch).rejects.toMatchObject({
      code: 'dependency-unavailable',
      details: { dependency: 'postgres' },
    });
    await client.query('ROLLBACK');
  } finally {
    client.release();
    await pool.end();
  }
  expect((await rows('lock-')).map(({ key, value }) => [key, value])).toEqual([['lock-b', '"before"']]);
  expect([await value(ORDERS, 'lock-a'), await value(ORDERS, 'lock-b')]).toEqual([null, '"before"']);
  expect(await blocks()).toBe(0);
});

test('an atomic batch on rows of a clock that is ahead is repeated under versions above them', async () => {
  const ahead = (Date.now() + 60_000) * 1_000;
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('orders', 'ahead-b', ${ahead}, '1', false)`.execute(part.ctx.db);
  const receipts = await part.together([put(ORDERS, 'ahead-a', '2'), put(ORDERS, 'ahead-b', '2')], cached());
  expect(receipts[1]?.version).toBeGreaterThan(ahead);
  expect((await rows('ahead-')).map(({ value }) => value)).toEqual(['2', '2']);
});

test('atomic batches on the same entries in other orders: each is whole, and none waits for ever', async () => {
  const keys = ['x', 'y', 'z'].map((key) => `swap-${key}`);
  const batches = Array.from({ length: 12 }, (_, i) =>
    [part, other][i % 2]!.together(
      (i % 3 === 0 ? keys : [...keys].reverse()).map((key) => put(ORDERS, key, String(i))),
      cached(),
    ),
  );
  const ended = await Promise.allSettled(batches);
  expect(ended.filter((one) => one.status === 'fulfilled').length).toBeGreaterThan(0);
  const found = await rows('swap-');
  expect(new Set(found.map(({ value }) => value)).size).toBe(1);
  for (const key of keys) expect(await value(ORDERS, key, other)).toBe(found[0]?.value);
});

test('atomic increments are exact, and other writes of the entries take part', async () => {
  const batches = Array.from({ length: 10 }, (_, i) =>
    [part, other][i % 2]!.together([add(BALANCES, 'sum-a', 1), add(BALANCES, 'sum-b', -1)], cached()),
  );
  const singles = Array.from({ length: 10 }, () => part.through.increment(BALANCES, 'sum-a', 1, cached()));
  const done = (await Promise.allSettled([...batches, ...singles])).map(
    ({ status }) => status === 'fulfilled',
  );
  const [together, single] = [done.slice(0, 10), done.slice(10)].map((some) => some.filter(Boolean).length);
  expect(Number(await value(BALANCES, 'sum-a'))).toBe(together! + single!);
  expect(Number(await value(BALANCES, 'sum-b'))).toBe(0 - together!);
});

test('an atomic batch that others overtake each time did not happen, and may be repeated', async () => {
  await sql`CREATE FUNCTION always_faster() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RETURN NULL; END $$`.execute(part.ctx.db);
  await sql`CREATE TRIGGER always_faster BEFORE INSERT ON documents FOR EACH ROW
    WHEN (NEW.key LIKE 'overtaken-%') EXECUTE FUNCTION always_faster()`.execute(part.ctx.db);
  const batch = [put(ORDERS, 'overtaken-a', '1'), put(ORDERS, 'overtaken-b', '1')];
  try {
    await expect(part.together(batch, cached())).rejects.toMatchObject({
      code: 'dependency-unavailable',
      message: expect.stringContaining('did not happen'),
      details: { dependency: 'postgres', retryAfterSeconds: 1 },
    });
  } finally {
    await sql`DROP FUNCTION always_faster CASCADE`.execute(part.ctx.db);
  }
  expect(await blocks()).toBe(0);
  expect(await part.together(batch, cached())).toMatchObject([{ created: true }, { created: true }]);
});

test('a crash between commit and settle leaves misses, and never a stale hit', async () => {
  await part.through.write(ORDERS, 'crash-a', '"before"', cached());
  const [committed, never] = [gate(), gate()];
  const dying = await world.part();
  dying.before('settle', async () => {
    committed.open();
    await never.opened;
  });
  void dying.together([put(ORDERS, 'crash-a', '"after"')], { deadlineAt: within(3_000) }).catch(() => {});
  await committed.opened;
  const read = await other.reader.read(ORDERS, 'crash-a', cached());
  expect(read).toMatchObject({ source: 'row', stored: false, state: { value: '"after"' } });
  never.open();
});

test('an atomic batch does not go around Redis, and says so', async () => {
  const proxy = await startTcpProxy({ port: world.redis.port });
  const cut = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
  await epochOf(cut);
  await proxy.close();
  await until(
    () =>
      cut.ctx.redis.ping().then(
        () => false,
        () => true,
      ),
    { what: 'the connection to be cut' },
  );
  await expect(cut.together([put(ORDERS, 'around', '1')], cached())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    message: expect.stringContaining('does not go around'),
    details: { dependency: 'redis' },
  });
  expect(await rows('around')).toEqual([]);
});
