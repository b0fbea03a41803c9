import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nextEpoch } from '../../domain/epoch.ts';
import type { WriteOptions } from '../../service/holdfast.ts';
import { readFence, replaceFence } from '../../storage/postgres/fence.ts';
import { type RedisTestServer, startRedis } from '../support/services-redis.ts';
import { CARTS, createWorld, epochOf, type Part, type World, within } from './rules-fixture.ts';

// What survives in a Redis that was left for another one, and is used again: its keyed writes may have been overwritten
// by writes that knew nothing of them.

let world: World;
let elsewhere: RedisTestServer;
beforeEach(async () => {
  [world, elsewhere] = await Promise.all([createWorld(), startRedis()]);
});
afterEach(async () => {
  await Promise.all([world.close(), elsewhere.stop()]);
});

const keyed = (
  key: string,
  durability: NonNullable<WriteOptions['durability']> = 'cached',
): WriteOptions => ({ deadlineAt: within(20_000), durability, idempotency: { key, fingerprint: 'f' } });

/** The process that uses the other Redis. */
const there = () => world.part({ REDIS_URL: elsewhere.url }, { alive: true });

const textOf = async (part: Part) =>
  (await part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) })).state.value;

test('rule 17: a keyed PATCH is free to be executed again where its entry was written elsewhere since; one above its row is not', async () => {
  await world.withWorker(async () => {
    const before = await world.part({}, { alive: true });
    for (const key of ['k', 'other'])
      await before.behind.write(CARTS, key, '{"x":0}', keyed(`make-${key}`, 'persisted'));
    before.flusher.stop();
    await before.patch(CARTS, 'k', '{"a":1}', keyed('k1'));
    const kept = await before.patch(CARTS, 'other', '{"a":1}', keyed('k2'));
    await (await there()).patch(CARTS, 'k', '{"b":2}', keyed('k3', 'persisted'));
    await world.restartWithData();

    const back = await world.part({}, { alive: true });
    const again = await back.patch(CARTS, 'k', '{"a":1}', keyed('k1', 'persisted'));
    expect(again.replayed).toBeUndefined();
    expect(JSON.parse((await textOf(back)) ?? '')).toEqual({ x: 0, a: 1, b: 2 });
    expect(await back.patch(CARTS, 'other', '{"a":1}', keyed('k2'))).toMatchObject({
      version: kept.version,
      replayed: true,
    });
  });
});

test('rule 17: the same where what was written elsewhere still waits in Temporal', async () => {
  const before = await world.part();
  await before.behind.write(CARTS, 'k', '1', { ...keyed('k1'), condition: { ifAbsent: true } });
  const other = await there();
  await other.behind.write(CARTS, 'k', '2', keyed('k2', 'queued'));
  const back = await world.part();
  const again = back.behind.write(CARTS, 'k', '1', { ...keyed('k1'), condition: { ifAbsent: true } });
  await expect(again).rejects.toMatchObject({ code: 'precondition-failed' });
  expect(await textOf(back)).toBe('2');
});

test('rule 17: the same where it was deleted elsewhere, and its tombstone was pruned', async () => {
  const before = await world.part();
  const { version } = await before.behind.write(CARTS, 'k', '1', keyed('k1'));
  const { db } = before.ctx;
  const { epoch } = await readFence(db, 0);
  await replaceFence(db, { partition: 0, expected: epoch, epoch: nextEpoch('other', epoch), adopted: [] });
  await sql`UPDATE pruning SET floor = ${version + 2}`.execute(db);
  const back = await world.part();
  expect((await back.behind.write(CARTS, 'k', '1', keyed('k1'))).replayed).toBeUndefined();
});

test('a keyed write that survived in the Redis that is still in use counts, also where it was overwritten around Redis', async () => {
  const part = await world.part();
  const { version } = await part.behind.write(CARTS, 'k', '1', keyed('k1'));
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'k', ${version + 3}, '2', false)`.execute(part.ctx.db);
  await world.restartWithData();
  await epochOf(part);
  expect(await part.behind.write(CARTS, 'k', '1', keyed('k1'))).toMatchObject({ version, replayed: true });
  expect(await textOf(part)).toBe('2');
});
