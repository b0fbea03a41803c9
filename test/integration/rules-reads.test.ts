import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { RedisOutcomeUnknown } from '../../storage/redis/errors.ts';
import { invalidateEntries } from '../../storage/redis/invalidate.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  gate,
  ORDERS,
  type Part,
  VIEWS,
  type World,
  within,
} from './rules-fixture.ts';
import { recordDiscard } from './rules-steps.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const read = (part: Part, key: string, ms = 20_000) =>
  part.reader.read(CARTS, key, { deadlineAt: within(ms) });
const evict = (id: string) => world.raw.del(`hf:{p00}:e:${id}`);

test('pending first, database last: a batch that is persisted and closed in the middle of a read is found in its row', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '"committed"', cached());
  await part.flusher.flush(within(20_000));
  await evict('carts/k');
  const batch = part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(0, 0));
  part.temporalHook(async () => {
    part.temporalHook(undefined);
    await world.withWorker(() => batch.result());
  });
  // A worker starts in the middle of it, and has to bundle its workflows first.
  expect((await read(part, 'k', 50_000)).state.value).toBe('"committed"');
});

test('a reader does not share a repair that began before a write that was acknowledged to it', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '"old"', cached());
  await evict('carts/k');
  const [filling, goOn] = [gate(), gate()];
  part.before('fill', async () => {
    filling.open();
    await goOn.opened;
  });
  const first = read(part, 'k');
  await filling.opened;
  await part.behind.write(CARTS, 'k', '"new"', cached());
  await evict('carts/k');
  const second = read(part, 'k');
  goOn.open();
  expect([(await first).state.value, (await second).state.value]).toEqual(['"old"', '"new"']);
  expect((await read(part, 'k')).state.value).toBe('"new"');
});

test('a reader of another process that is about to fill is waited for, so that the database is read once', async () => {
  const [one, other] = [await world.part(), await world.part()];
  await one.behind.write(CARTS, 'k', '"row"', cached());
  await evict('carts/k');
  const [filling, goOn] = [gate(), gate()];
  one.before('fill', async () => {
    filling.open();
    await goOn.opened;
  });
  const first = read(one, 'k');
  await filling.opened;
  const second = read(other, 'k');
  await until(() => other.sent.filter((script) => script === 'lookup').length >= 2, { what: 'another look' });
  goOn.open();
  expect([(await first).source, (await second).source]).toEqual(['pending', 'cache']);
});

/** A read that took the right to fill `carts/k` and never used it. */
async function dieFilling(part: Part): Promise<void> {
  await evict('carts/k');
  part.before('fill', () => {
    throw new RedisOutcomeUnknown('the process died');
  });
  await read(part, 'k');
}

test('a reader that died with the right to fill is not waited for long', async () => {
  const [one, other] = [await world.part(), await world.part()];
  await one.behind.write(CARTS, 'k', '"row"', cached());
  await dieFilling(one);
  expect(await read(other, 'k', 2_000)).toMatchObject({ state: { value: '"row"' }, stored: false });
});

test('a lookup whose answer was lost is repeated: a write that is only cached stays visible', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '"cached"', cached());
  part.after('lookup', () => {
    throw new RedisOutcomeUnknown('Connection is closed.');
  });
  expect(await read(part, 'k')).toMatchObject({ state: { value: '"cached"' }, source: 'cache' });
});

test('a connection to Redis that breaks and comes back does not hide a write that is only cached', async () => {
  const proxy = await startTcpProxy({ port: world.redis.port });
  try {
    const part = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    await part.behind.write(CARTS, 'k', '"cached"', cached());
    for (let i = 0; i < 5; i++) {
      proxy.cut();
      const answers = await Promise.all(Array.from({ length: 10 }, () => read(part, 'k')));
      expect(new Set(answers.map(({ state }) => state.value))).toEqual(new Set(['"cached"']));
    }
  } finally {
    await proxy.close();
  }
});

test('while Redis is away a read is merged from workflows and rows, also in a process that knows no epoch yet', async () => {
  const [part, fresh] = [await world.part(), await world.part()];
  await part.behind.write(CARTS, 'k', '"queued"', cached());
  await part.flusher.flush(within(20_000));
  await world.redis.kill();
  for (const one of [part, fresh]) {
    expect(await read(one, 'k')).toMatchObject({ state: { value: '"queued"' }, source: 'pending' });
  }
  // An increment says that it did not happen, and not that nobody knows.
  await expect(fresh.behind.increment(VIEWS, 'c', 1, cached())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'redis' },
  });
});

test('a read by which Redis hangs while it is asked for the epoch changes nothing and is answered', async () => {
  const part = await world.part();
  await epochOf(part);
  const fresh = await world.part();
  fresh.before('hello', () => {
    throw new RedisOutcomeUnknown('Command timed out');
  });
  await expect(fresh.behind.increment(VIEWS, 'c', 1, cached())).rejects.toMatchObject({
    code: 'dependency-unavailable',
  });
  expect(await world.raw.hlen('hf:{p00}:open')).toBe(0);
});

test('a repair that failed does not keep its entry from being filled', async () => {
  const part = await world.part();
  await epochOf(part);
  await sql`ALTER TABLE counters RENAME TO elsewhere`.execute(part.ctx.db);
  await expect(part.behind.increment(VIEWS, 'c', 1, cached())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'postgres' },
  });
  await sql`ALTER TABLE elsewhere RENAME TO counters`.execute(part.ctx.db);
  const receipt = await part.behind.increment(VIEWS, 'c', 1, { ...cached(), deadlineAt: within(3_000) });
  expect(receipt.value).toBe(1);
});

/** From now on PostgreSQL answers no read of a row. */
function withoutRows(part: Part): void {
  const failed = async () => {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  };
  Object.assign(part.ctx, { readRecord: failed });
}
const REFUSED = { code: 'dependency-unavailable', details: { dependency: 'postgres' } };

test('without PostgreSQL a pending write of this epoch is answered, in Redis or in Temporal', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '"queued"', cached());
  await part.flusher.flush(within(20_000));
  await part.behind.write(CARTS, 'other', '"staged"', cached());
  withoutRows(part);
  await evict('carts/k');
  await evict('carts/other');
  expect((await read(part, 'k')).state.value).toBe('"queued"');
  expect((await read(part, 'other')).state.value).toBe('"staged"');
});

test.each([
  ['Redis has lost its memory', () => world.raw.flushall()],
  ['Redis came back with its data', () => world.restartWithData()],
  [
    'somebody wrote around Redis',
    async (part: Part, version: number) =>
      await invalidateEntries(part.ctx.redis, { partition: 0, installation: undefined }, [
        { collection: 'carts', key: 'k', version },
      ]),
  ],
])(
  'without PostgreSQL a pending write is not answered where %s: a newer one may be in its row',
  async (_how, happens) => {
    const part = await world.part();
    const { version } = await part.behind.write(CARTS, 'k', '"waits"', cached());
    await part.flusher.flush(within(20_000));
    // The newer one was persisted, and its batch is no more.
    await sql`INSERT INTO documents (collection, key, version, value, deleted)
      VALUES ('carts', 'k', ${version + 1}, '"newer"', false)`.execute(part.ctx.db);
    await happens(part, version + 1);
    await epochOf(part);
    const { readRecord } = part.ctx;
    withoutRows(part);
    await evict('carts/k');
    await expect(read(part, 'k')).rejects.toMatchObject(REFUSED);
    Object.assign(part.ctx, { readRecord });
    expect((await read(part, 'k')).state.value).toBe('"newer"');
    // What is written from now on is known to be the newest again.
    await part.behind.write(CARTS, 'k', '"latest"', cached());
    withoutRows(part);
    await evict('carts/k');
    expect((await read(part, 'k')).state.value).toBe('"latest"');
  },
);

test('nor while Redis may not have been told yet that somebody wrote around it, unless it was staged since', async () => {
  const part = await world.part();
  const { version } = await part.behind.write(CARTS, 'k', '"waits"', cached());
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'k', ${version + 1}, '"around"', false)`.execute(part.ctx.db);
  await sql`UPDATE partition_clocks SET around_until = ${(Date.now() + 60_000) * 1_000}`.execute(part.ctx.db);
  await part.suspicion.learn();
  const learned = Date.now();
  withoutRows(part);
  await evict('carts/k');
  await expect(read(part, 'k')).rejects.toMatchObject(REFUSED);
  await expect(part.readMany(CARTS, ['k'], { deadlineAt: within(20_000) })).rejects.toMatchObject(REFUSED);
  const { CLOCK_TOLERANCE_MS } = part.ctx.environment;
  await until(() => Date.now() > learned + CLOCK_TOLERANCE_MS + 10, {
    what: 'every clock to have passed it',
  });
  await part.behind.write(CARTS, 'k', '"since"', cached());
  await evict('carts/k');
  expect((await read(part, 'k')).state.value).toBe('"since"');
});

test('a write that is known to be discarded is not answered when PostgreSQL fails in the middle of the read', async () => {
  const part = await world.part();
  const { version } = await part.behind.write(CARTS, 'k', '"bad"', cached());
  await part.flusher.flush(within(20_000));
  await recordDiscard(part, { collection: 'carts', key: 'k' }, version);
  await evict('carts/k');
  const { readRecord } = part.ctx;
  const once: typeof readRecord = async (kind, ref) => {
    const record = await readRecord(kind, ref);
    withoutRows(part);
    return record;
  };
  Object.assign(part.ctx, { readRecord: once });
  await expect(read(part, 'k')).rejects.toMatchObject(REFUSED);
});

test('rule 2: after a new epoch, write-through entries are not filled for one block length; others are', async () => {
  const part = await world.part();
  const order = await part.reader.read(ORDERS, 'k', { deadlineAt: within(20_000) });
  expect([order.stored, (await read(part, 'k')).stored]).toEqual([false, true]);
});

test('a process that starts after a write around Redis holds cached copies against their rows for a while', async () => {
  const before = await world.part();
  await before.through.write(ORDERS, 'k', '"former"', { deadlineAt: within(20_000) });
  const proxy = await startTcpProxy({ port: world.redis.port });
  const cut = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
  await proxy.close();
  const gone = () =>
    cut.ctx.redis.ping().then(
      () => false,
      () => true,
    );
  await until(gone, { what: 'the connection to be cut' });
  const written = await cut.through.write(ORDERS, 'k', '"around"', { deadlineAt: within(20_000) });
  expect(written.state).toBe('persisted');

  const fresh = await world.part();
  const order = () => fresh.reader.read(ORDERS, 'k', { deadlineAt: within(20_000) });
  // Nobody has told Redis.
  expect((await order()).state.value).toBe('"former"');
  await fresh.suspicion.learn();
  expect((await order()).state).toMatchObject({ version: written.version, value: '"around"' });
  // Where the row cannot be read, the copy may be the former one: it is no answer, until a write has come through Redis.
  const { readRecord } = fresh.ctx;
  const both = () => fresh.readMany(ORDERS, ['k'], { deadlineAt: within(20_000) });
  withoutRows(fresh);
  await expect(order()).rejects.toMatchObject(REFUSED);
  await expect(both()).rejects.toMatchObject(REFUSED);
  Object.assign(fresh.ctx, { readRecord });
  await before.through.write(ORDERS, 'k', '"since"', { deadlineAt: within(20_000) });
  withoutRows(fresh);
  expect(await order()).toMatchObject({ source: 'cache', state: { value: '"since"' } });
  expect((await both()).entries).toMatchObject([{ value: '"since"' }]);
});

/** Copies of orders `a` and `b`, rows that somebody wrote around Redis, and a process that knows of it. */
async function writtenAround(): Promise<{ readonly unaware: Part; readonly aware: Part }> {
  const [unaware, aware] = [await world.part(), await world.part()];
  for (const key of ['a', 'b'])
    await unaware.through.write(ORDERS, key, '"former"', { deadlineAt: within(20_000) });
  await sql`UPDATE documents SET value = '"around"', version = version + 1`.execute(aware.ctx.db);
  await sql`UPDATE partition_clocks SET around_until = ${(Date.now() + 60_000) * 1_000}`.execute(
    aware.ctx.db,
  );
  await aware.suspicion.learn();
  return { unaware, aware };
}
const orders = async (part: Part, ...keys: string[]) =>
  (await part.readMany(ORDERS, keys, { deadlineAt: within(20_000) })).entries.map(({ value }) => value);
const order = async (part: Part, key: string) =>
  (await part.reader.read(ORDERS, key, { deadlineAt: within(20_000) })).state.value;
const drops = ({ sent }: Part) => sent.filter((script) => script === 'invalidate').length;

test('once a read has found a copy older than its row, no process returns that copy again', async () => {
  const { unaware, aware } = await writtenAround();
  expect(await orders(unaware, 'a', 'b')).toEqual(['"former"', '"former"']);
  expect(await order(aware, 'a')).toBe('"around"');
  expect([await order(unaware, 'a'), await order(unaware, 'b')]).toEqual(['"around"', '"former"']);
  expect(drops(aware)).toBe(1);
});

test('nor does it after a read of many, which drops what is older of a partition at once', async () => {
  const { unaware, aware } = await writtenAround();
  expect(await orders(aware, 'a', 'b')).toEqual(['"around"', '"around"']);
  expect(await orders(unaware, 'a', 'b')).toEqual(['"around"', '"around"']);
  expect(drops(aware)).toBe(1);
});

test('a read neither fails nor waits for long where Redis does not drop the older copy', async () => {
  const { aware } = await writtenAround();
  aware.before('invalidate', () => {
    throw new RedisOutcomeUnknown('Connection is closed.');
  });
  expect(await order(aware, 'a')).toBe('"around"');
  const never = gate();
  for (const read of [() => order(aware, 'a'), async () => (await orders(aware, 'b'))[0]]) {
    aware.before('invalidate', () => never.opened);
    const began = performance.now();
    expect(await read()).toBe('"around"');
    expect(performance.now() - began).toBeLessThan(5_000);
  }
  never.open();
});

test('a reader whose time is short does not spend all of it waiting for the copy of another', async () => {
  const [one, other] = [await world.part(), await world.part()];
  await one.behind.write(CARTS, 'k', '"row"', cached());
  await dieFilling(one);
  expect((await read(other, 'k', 1_000)).state.value).toBe('"row"');
  await dieFilling(one);
  expect(await other.readMany(CARTS, ['k'], { deadlineAt: within(1_000) })).toMatchObject({
    entries: [{ value: '"row"' }],
  });
});

test('where Redis is full no reader waits for a copy that nobody could fill', async () => {
  const part = await world.part();
  await epochOf(part);
  await world.raw.config('SET', 'maxmemory', '500kb');
  const looks = () => part.sent.filter((script) => script === 'lookup').length;
  for (let i = 1; i <= 3; i++) {
    expect((await read(part, 'unknown')).stored).toBe(false);
    expect(looks()).toBe(i);
  }
  for (let i = 4; i <= 6; i++) {
    await part.readMany(CARTS, ['unknown'], { deadlineAt: within(20_000) });
    expect(looks()).toBe(i);
  }
  // And once there is room, the lease that was kept fills.
  await world.raw.config('SET', 'maxmemory', '0');
  expect((await read(part, 'unknown')).stored).toBe(true);
});
