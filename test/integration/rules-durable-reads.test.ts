import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { CARTS, cached, createWorld, ORDERS, type Part, type World, within } from './rules-fixture.ts';
import { recordDiscard, sealOnly } from './rules-steps.ts';

const K = { collection: 'carts', key: 'k' };
const DURABLE = { ...CARTS, reads: 'durable' } as const;

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
});
afterEach(() => world.close());

const read = (of: Part = part, ms = 20_000) => of.reader.read(DURABLE, 'k', { deadlineAt: within(ms) });
const write = (value: string) => part.behind.write(DURABLE, 'k', value, cached());
const flush = () => part.flusher.flush(within(20_000));
const evict = () => world.raw.del('hf:{p00}:e:carts/k');
const settledOf = async (promise: Promise<unknown>) => {
  let settled = false;
  promise.then(
    () => {
      settled = true;
    },
    () => {
      settled = true;
    },
  );
  // Two round trips of Redis behind whatever the read has sent.
  await world.raw.ping();
  await part.reader.read(CARTS, 'other', { deadlineAt: within(5_000) });
  return settled;
};

for (const [how, prepare] of [
  ['a hit', async () => {}],
  ['a miss', evict],
] as const) {
  test(`${how} of a write that is only staged waits until that is queued`, async () => {
    await write('"staged"');
    await prepare();
    const reading = read();
    expect(await settledOf(reading)).toBe(false);
    await flush();
    expect((await reading).state.value).toBe('"staged"');
    // From here on nothing is to be waited for.
    expect((await read(part, 2_000)).state.value).toBe('"staged"');
  });
}

test('a read that waits has the batch flushed at once', async () => {
  const alive = await world.part({ FLUSH_INTERVAL_MS: '60000', GATHER_MAX_MS: '60000' }, { alive: true });
  await alive.behind.write(DURABLE, 'k', '"staged"', cached());
  expect((await read(alive, 10_000)).state.value).toBe('"staged"');
});

test('a staged write that the index no longer names is waited for, too', async () => {
  await write('"staged"');
  await sealOnly(part);
  // A later one was queued first, and given up, which took it out of the index.
  const { version } = await write('"bad"');
  await recordDiscard(part, K, version);
  await world.raw.hdel('hf:{p00}:index', 'carts/k');
  await evict();
  // The second look must not take a copy that the first one made for a sign that it is queued.
  await expect(read(part, 1_500)).rejects.toMatchObject({ code: 'deadline-exceeded' });
  expect(part.sent.filter((script) => script === 'lookup').length).toBeGreaterThan(2);
});

test('a queued write beneath one that was set aside is returned, without waiting until it is persisted', async () => {
  await write('"queued"');
  await flush();
  const { version } = await write('"bad"');
  await flush();
  await recordDiscard(part, K, version);
  await world.raw.hdel('hf:{p00}:index', 'carts/k');
  await evict();
  expect((await read(part, 5_000)).state.value).toBe('"queued"');
});

test('a write that was lost with the memory of Redis is never returned', async () => {
  const alive = await world.part({ FLUSH_INTERVAL_MS: '60000' }, { alive: true });
  await write('"kept"');
  await flush();
  await write('"lost"');
  // Nothing can be queued while the flusher of the only process that runs is kept from sealing.
  alive.before('seal', () => world.raw.flushall().then(() => {}));
  expect((await read(alive)).state.value).toBe('"kept"');
});

test('a value that is not queued in time is an error, not an answer', async () => {
  await write('"staged"');
  await expect(read(part, 300)).rejects.toMatchObject({ code: 'deadline-exceeded' });
  // Others do not wait.
  expect((await part.reader.read(CARTS, 'k', { deadlineAt: within(5_000) })).state.value).toBe('"staged"');
});

test('without Redis a pending write is waited for until it is settled, and the row is answered', async () => {
  await write('"queued"');
  await flush();
  const { version } = (await part.reader.read(CARTS, 'k', { deadlineAt: within(9_000) })).state;
  await world.redis.stop();
  let calls = 0;
  part.temporalHook(() => {
    calls += 1;
  });
  const reading = read();
  // Every slot is asked again and again.
  await until(() => calls > 40, { what: 'the slots to be asked several times', timeoutMs: 15_000 });
  await sql`INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, reason)
    VALUES ('carts', 'k', 0, 'any', ${version}, 'document', 'by a test')`.execute(part.ctx.db);
  expect((await reading).state).toEqual({ version: 0, value: null });
});

test('nothing goes around Redis, in both modes: another process may still use it', async () => {
  const proxy = await startTcpProxy({ port: world.redis.port });
  try {
    const cut = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    await proxy.close();
    await until(
      async () =>
        !(await cut.ctx.redis.ping().then(
          () => true,
          () => false,
        )),
      { what: 'the cut' },
    );
    const refused = { code: 'dependency-unavailable', details: { dependency: 'redis' } };
    const options = { deadlineAt: within(8_000) };
    await expect(cut.behind.write(DURABLE, 'k', '1', options)).rejects.toMatchObject(refused);
    const orders = { ...ORDERS, reads: 'durable' } as const;
    await expect(cut.through.write(orders, 'k', '1', options)).rejects.toMatchObject(refused);
    expect((await cut.through.write(ORDERS, 'k', '1', { deadlineAt: within(8_000) })).state).toBe(
      'persisted',
    );
  } finally {
    await proxy.close();
  }
});
