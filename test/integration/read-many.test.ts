import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import type { Collection } from '../../domain/collection.ts';
import { RedisOutcomeUnknown } from '../../storage/redis/errors.ts';
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

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld({ partitions: 2 });
  part = await world.part();
});
afterEach(() => world.close());

const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
const options = (ms = 20_000) => ({ deadlineAt: within(ms) });
const values = async (collection: Collection, of = part, some: readonly string[] = keys) =>
  (await of.readMany(collection, some, options())).entries.map(({ value }) => value);
const evictAll = async (collection: Collection) => {
  const found = await world.raw.keys(`hf:*:e:${collection.name}/*`);
  if (found.length > 0) await world.raw.del(found);
};
const count = (of: Part, script: string, from: number) =>
  of.sent.slice(from).filter((name) => name === script).length;

test('hits cost one round trip for each partition; misses are filled, and then are hits', async () => {
  for (const [i, key] of keys.entries()) await part.behind.write(CARTS, key, String(i), cached());
  let from = part.sent.length;
  expect(await values(CARTS)).toEqual(keys.map((_, i) => String(i)));
  expect(part.sent.slice(from)).toEqual(['lookup', 'lookup']);

  await evictAll(CARTS);
  from = part.sent.length;
  expect(await values(CARTS, part, [...keys, 'never'])).toEqual([...keys.map((_, i) => String(i)), null]);
  expect([count(part, 'lookup', from), count(part, 'fill', from)]).toEqual([2, 2]);
  from = part.sent.length;
  expect((await part.reader.read(CARTS, 'k3', options())).source).toBe('cache');
  await values(CARTS, part, [...keys, 'never']);
  expect(count(part, 'fill', from)).toBe(0);
});

test('every place of a value is found: the copy, a staged or queued batch, a row, a tombstone', async () => {
  const write = (key: string, value: string | null) => part.behind.write(CARTS, key, value, cached());
  await epochOf(part);
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'row', 2, '{"n": 9007199254740993}', false), ('carts', 'older', 2, '"row"', false),
           ('carts', 'deleted', 2, NULL, true)`.execute(part.ctx.db);
  await write('queued', '"in Temporal"');
  await write('older', '"newer than its row"');
  await part.flusher.flush(within(20_000));
  await write('staged', '"in Redis"');
  await write('gone', null);
  await evictAll(CARTS);
  await write('copy', '"cached"');
  expect(
    await values(CARTS, part, ['copy', 'staged', 'queued', 'older', 'row', 'deleted', 'gone', 'never']),
  ).toEqual([
    '"cached"',
    '"in Redis"',
    '"in Temporal"',
    '"newer than its row"',
    '{"n": 9007199254740993}',
    null,
    null,
    null,
  ]);
});

test('after FLUSHALL, and without a worker, what is queued is seen', async () => {
  const alive = await world.part({}, { alive: true });
  await Promise.all(keys.map((key, i) => alive.behind.write(CARTS, key, String(i), queued())));
  await world.raw.flushall();
  expect(await values(CARTS, await world.part())).toEqual(keys.map((_, i) => String(i)));
});

test('a write that was set aside does not count, and the older one that it hid does', async () => {
  const old = await part.behind.write(CARTS, 'k1', '"older"', cached());
  await part.flusher.flush(within(20_000));
  const { version } = await part.behind.write(CARTS, 'k1', '"discarded"', cached());
  await part.flusher.flush(within(20_000));
  await sql`INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, state, reason)
    VALUES ('carts', 'k1', 0, 'any', ${version}, 'document', '1', 'discarded', 'test')`.execute(part.ctx.db);
  await evictAll(CARTS);
  const { entries } = await part.readMany(CARTS, ['k0', 'k1'], options());
  expect(entries[1]).toEqual({ key: 'k1', version: old.version, value: '"older"' });
});

test('a fill of a slow reader of many cannot put an old value back', async () => {
  await part.behind.write(CARTS, 'k1', '"old"', cached());
  await evictAll(CARTS);
  const [filling, goOn] = [gate(), gate()];
  part.before('fill', async () => {
    filling.open();
    await goOn.opened;
  });
  const slow = values(CARTS, part, ['k1']);
  await filling.opened;
  const other = await world.part();
  await other.behind.write(CARTS, 'k1', '"new"', cached());
  goOn.open();
  expect(await slow).toEqual(['"old"']);
  expect(await values(CARTS, part, ['k1'])).toEqual(['"new"']);
});

test('a copy that another reader is about to fill is waited for', async () => {
  await part.through.write(ORDERS, 'k1', '1', cached());
  await world.raw.hset('hf:{p00}:state', 'fills_from', '0');
  await world.raw.hset('hf:{p01}:state', 'fills_from', '0');
  await evictAll(ORDERS);
  const [filling, goOn] = [gate(), gate()];
  part.before('fill', async () => {
    filling.open();
    await goOn.opened;
  });
  const first = part.reader.read(ORDERS, 'k1', options());
  await filling.opened;
  const other = await world.part();
  const second = values(ORDERS, other, ['k1']);
  await until(() => count(other, 'lookup', 0) >= 2, { what: 'another look' });
  goOn.open();
  await first;
  expect(await second).toEqual(['1']);
  expect(count(other, 'fill', 0)).toBe(0);
});

test('leases of a read that failed are not lost: the next one fills', async () => {
  await epochOf(part);
  await sql`ALTER TABLE counters RENAME TO elsewhere`.execute(part.ctx.db);
  await expect(part.readMany(VIEWS, ['k1', 'k2'], options())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'postgres' },
  });
  await sql`ALTER TABLE elsewhere RENAME TO counters`.execute(part.ctx.db);
  expect(
    (await part.behind.increment(VIEWS, 'k1', 1, { ...cached(), deadlineAt: within(2_500) })).value,
  ).toBe(1);
});

test('durable reads wait until what they return is queued', async () => {
  const durable: Collection = { ...CARTS, reads: 'durable' };
  const { batchId } = await stagedOnly(durable);
  const from = part.sent.length;
  const reading = part.readMany(durable, ['k1', 'k2'], options());
  await until(() => part.sent.length > from, { what: 'the look' });
  await expect(part.readMany(durable, ['k1', 'k2'], options(200))).rejects.toMatchObject({
    code: 'deadline-exceeded',
  });
  part.waiters.tell(batchId, { event: 'queued' });
  expect((await reading).entries.map(({ value }) => value)).toEqual(['1', null]);
});

/** A write that is staged, and its batch. */
async function stagedOnly(collection: Collection): Promise<{ batchId: string }> {
  await part.behind.write(collection, 'k1', '1', cached());
  const { pending } = await part.explain(collection, 'k1', options());
  return { batchId: pending?.batchId ?? '' };
}

test('a copy that is older than its row is not returned while others may have written around Redis', async () => {
  await part.through.write(ORDERS, 'k1', '"former"', cached());
  await sql`UPDATE documents SET value = '"around"', version = version + 1`.execute(part.ctx.db);
  expect(await values(ORDERS, part, ['k1', 'k2'])).toEqual(['"former"', null]);
  await sql`UPDATE partition_clocks SET around_until = ${(Date.now() + 60_000) * 1_000}`.execute(part.ctx.db);
  await part.suspicion.learn();
  expect(await values(ORDERS, part, ['k1', 'k2'])).toEqual(['"around"', null]);
});

test('without Redis values come from the workflows and the rows, and the answer says so', async () => {
  await part.through.write(ORDERS, 'k1', '1', cached());
  await part.behind.write(CARTS, 'k1', '"queued"', cached());
  await part.flusher.flush(within(20_000));
  await world.redis.kill();
  expect(await part.readMany(ORDERS, ['k1', 'k2'], options())).toMatchObject({
    entries: [{ value: '1' }, { value: null }],
    degraded: true,
  });
  expect(await part.readMany(CARTS, ['k2', 'k1'], options())).toMatchObject({
    entries: [{ value: null }, { value: '"queued"' }],
    degraded: true,
  });
});

test('without PostgreSQL hits and pending values are answered; where there is neither, it is a problem', async () => {
  const cut = await world.part({ DATABASE_URL: 'postgres://127.0.0.1:1/none' });
  await part.behind.write(CARTS, 'k1', '"staged"', cached());
  await evictAll(CARTS);
  await part.behind.write(CARTS, 'k2', '"copy"', cached());
  expect(await values(CARTS, cut, ['k1', 'k2'])).toEqual(['"staged"', '"copy"']);
  await expect(cut.readMany(CARTS, ['k1', 'k3'], options())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'postgres' },
  });
});

test('a look whose answer was lost is repeated', async () => {
  await part.behind.write(CARTS, 'k1', '"cached"', cached());
  part.after('lookup', () => {
    throw new RedisOutcomeUnknown('Connection is closed.');
  });
  expect(await values(CARTS, part, ['k1'])).toEqual(['"cached"']);
});
