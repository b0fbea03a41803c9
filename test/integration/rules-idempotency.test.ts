import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WriteOptions } from '../../service/holdfast.ts';
import { createPatch } from '../../service/patch.ts';
import { RedisOutcomeUnknown } from '../../storage/redis/errors.ts';
import { sealBatch } from '../../storage/redis/seal.ts';
import { holding, waitingForLocks } from './postgres-fixture.ts';
import {
  CARTS,
  createWorld,
  epochOf,
  ORDERS,
  type Part,
  VIEWS,
  type World,
  within,
} from './rules-fixture.ts';
import { recordDiscard, sealOnly } from './rules-steps.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const keyed = (
  key: string,
  durability: NonNullable<WriteOptions['durability']> = 'cached',
  fingerprint = 'f',
): WriteOptions => ({ deadlineAt: within(20_000), durability, idempotency: { key, fingerprint } });

const textOf = async (part: Part, collection = VIEWS, key = 'k') =>
  (await part.reader.read(collection, key, { deadlineAt: within(20_000) })).state.value;

test('rule 16: a repeated increment counts once: from Redis, from Temporal after Redis lost everything, from PostgreSQL', async () => {
  const part = await world.part({}, { alive: true });
  const other = await world.part({}, { alive: true });
  const first = await part.behind.increment(VIEWS, 'k', 5, keyed('k1'));
  expect(await other.behind.increment(VIEWS, 'k', 5, keyed('k1'))).toEqual({ ...first, replayed: true });
  const queued = await other.behind.increment(VIEWS, 'k', 5, keyed('k1', 'queued'));
  expect(queued).toEqual({ ...first, state: 'queued', replayed: true });
  await world.raw.flushall();
  expect(await part.behind.increment(VIEWS, 'k', 5, keyed('k1', 'queued'))).toEqual(queued);
  await part.behind.increment(VIEWS, 'k', 1, keyed('k2'));
  const persisted = part.behind.increment(VIEWS, 'k', 5, keyed('k1', 'persisted'));
  await world.withWorker(async () => {
    await part.behind.increment(VIEWS, 'k', 1, keyed('k3', 'persisted'));
    await persisted;
  });
  // The level is the one that is certain: a later batch carries the record, too, until it is released.
  await vi.waitFor(
    async () =>
      expect(await part.behind.increment(VIEWS, 'k', 5, keyed('k1'))).toEqual({
        ...queued,
        state: 'persisted',
      }),
    10_000,
  );
  await world.raw.flushall();
  expect(await other.behind.increment(VIEWS, 'k', 5, keyed('k1'))).toMatchObject({
    version: first.version,
    value: 5,
    state: 'persisted',
    replayed: true,
  });
  expect(await textOf(other)).toBe('7');
});

test('rule 16: of three requests with one key at the same time, one is executed, however late the others go on', async () => {
  const [quick, ...late] = [await world.part({}, { alive: true }), await world.part(), await world.part()];
  await quick.behind.increment(VIEWS, 'k', 1, keyed('k0'));
  const held = late.map((part) => {
    let there = false;
    let goOn = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    // The second time PostgreSQL was asked.
    part.after('stage', () => {
      part.before('stage', async () => {
        there = true;
        await gate;
      });
    });
    const write = part.behind.increment(VIEWS, 'k', 1, keyed('k1'));
    return { goOn, asked: () => there, write };
  });
  await vi.waitUntil(() => held.every(({ asked }) => asked()), 10_000);
  await world.withWorker(() => quick.behind.increment(VIEWS, 'k', 1, keyed('k1', 'persisted')));
  for (const { goOn, write } of held) {
    goOn();
    expect(await write).toMatchObject({ value: 2, replayed: true });
  }
  expect(await textOf(quick)).toBe('2');
});

test('rule 16: a script whose answer was lost is repeated by the client, and had counted', async () => {
  const part = await world.part();
  await part.behind.increment(VIEWS, 'k', 1, keyed('k0'));
  part.after('stage', () => {
    // The first run only leaves the token.
    part.after('stage', () => {
      throw new RedisOutcomeUnknown('the connection broke');
    });
  });
  await expect(part.behind.increment(VIEWS, 'k', 1, keyed('k1'))).rejects.toMatchObject({
    code: 'outcome-unknown',
  });
  expect(await part.behind.increment(VIEWS, 'k', 1, keyed('k1'))).toMatchObject({ value: 2, replayed: true });
  expect(await textOf(part)).toBe('2');
});

test('rule 16: Redis forgets a batch that a later one in Temporal rests on: its record came along, so nothing counts twice', async () => {
  const part = await world.part();
  const epoch = await epochOf(part);
  await part.behind.increment(VIEWS, 'k', 1, keyed('k1'));
  // The first batch is sealed and never offered.
  const seal = { partition: 0, epoch, slots: 4, gatherMinMs: 0, gatherMaxMs: 0 };
  expect((await sealBatch(part.ctx.redis, seal)).outcome).toBe('sealed');
  await part.behind.increment(VIEWS, 'k', 1, keyed('k2'));
  const second = await sealBatch(part.ctx.redis, seal);
  if (second.outcome !== 'sealed') throw new Error('not sealed');
  await part.offers.offer(second.sealed);
  await world.raw.flushall();
  expect(await part.behind.increment(VIEWS, 'k', 1, keyed('k1'))).toMatchObject({ value: 1, replayed: true });
  expect(await textOf(part)).toBe('2');
});

test('a write that was discarded is not queued, also where Redis lost its memory since: its Idempotency-Key is free', async () => {
  const part = await world.part({}, { alive: true });
  const first = await part.behind.write(CARTS, 'k', '1', keyed('k1', 'queued'));
  await recordDiscard(part, { collection: 'carts', key: 'k' }, first.version);
  await world.raw.flushall();
  const again = await part.behind.write(CARTS, 'k', '1', keyed('k1', 'queued'));
  expect(again.replayed).toBeUndefined();
  expect(again.version).toBeGreaterThan(first.version);
});

test('a discarded increment that a later one rests on still counts once after Redis lost its memory', async () => {
  const part = await world.part({}, { alive: true });
  const first = await part.behind.increment(VIEWS, 'k', 5, keyed('k1', 'queued'));
  const second = await part.behind.increment(VIEWS, 'k', 1, keyed('k2', 'queued'));
  expect(second.value).toBe(6);
  await recordDiscard(part, { collection: 'page-views', key: 'k' }, first.version, 'counter');
  await world.raw.flushall();
  expect(await part.behind.increment(VIEWS, 'k', 5, keyed('k1'))).toMatchObject({ replayed: true, value: 5 });
  expect(await textOf(part)).toBe('6');
});

test('a discarded write whose batch survived in Redis is not queued either, and its Idempotency-Key is free', async () => {
  const part = await world.part();
  const first = await part.behind.write(CARTS, 'k', '1', keyed('k1'));
  await part.behind.write(CARTS, 'other', '1', keyed('k2'));
  await recordDiscard(part, { collection: 'carts', key: 'k' }, first.version);
  await world.restartWithData();
  const again = await part.behind.write(CARTS, 'k', '1', keyed('k1'));
  expect(again.replayed).toBeUndefined();
  expect(again.version).toBeGreaterThan(first.version);
  expect((await part.behind.write(CARTS, 'other', '1', keyed('k2'))).replayed).toBe(true);
});

test('a discarded increment in Temporal counts once where a later one that rests on it survived in Redis', async () => {
  const part = await world.part();
  await part.behind.increment(VIEWS, 'k', 5, keyed('k1'));
  await part.flusher.flush(within(20_000));
  const first = await part.behind.increment(VIEWS, 'k', 5, keyed('k1'));
  expect((await part.behind.increment(VIEWS, 'k', 1, keyed('k2'))).value).toBe(6);
  await recordDiscard(part, { collection: 'page-views', key: 'k' }, first.version, 'counter');
  await world.restartWithData();
  expect(await part.behind.increment(VIEWS, 'k', 5, keyed('k1'))).toMatchObject({ replayed: true, value: 5 });
  expect(await textOf(part)).toBe('6');
});

test('rule 15: an increment in a batch that came after a recovery had asked its slot is free to be executed, also where no worker has looked at it before the next recovery', async () => {
  const [late, other] = [await world.part(), await world.part({}, { alive: true })];
  await late.behind.increment(VIEWS, 'k', 10, keyed('k1'));
  await late.flusher.flush(within(20_000));
  await late.behind.increment(VIEWS, 'k', 1, keyed('k2'));
  const sealed = await sealOnly(late);
  await world.raw.flushall();
  await epochOf(other);
  await late.offers.offer(sealed);
  expect((await other.behind.increment(VIEWS, 'k', 5, keyed('k3', 'queued'))).value).toBe(15);
  await world.raw.flushall();
  const again = await other.behind.increment(VIEWS, 'k', 1, keyed('k2'));
  expect(again.replayed).toBeUndefined();
  expect(again.value).toBe(16);
  await world.withWorker(() => other.behind.increment(VIEWS, 'k', 1, keyed('k2', 'persisted')));
  await world.raw.flushall();
  expect(await textOf(other)).toBe('16');
});

test('rule 16: while PostgreSQL cannot be asked, a write with a new key does not happen, and one that is known is answered', async () => {
  const part = await world.part();
  const first = await part.behind.write(CARTS, 'k', '1', keyed('k1'));
  await sql`ALTER TABLE idempotency_records RENAME TO away`.execute(part.ctx.db);
  await expect(part.behind.write(CARTS, 'k', '2', keyed('k2'))).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'postgres' },
  });
  expect(await part.behind.write(CARTS, 'k', '1', keyed('k1'))).toEqual({ ...first, replayed: true });
  expect(await world.raw.hget('hf:{p00}:open', 'carts/k')).toMatch(/ 1$/);
});

test('rule 16: a write-behind with a key never goes around Redis, which may have its only record; a write-through does', async () => {
  const part = await world.part({ REDIS_TIMEOUT_MS: '300' });
  await epochOf(part);
  const before = await part.through.write(ORDERS, 'a', '1', keyed('k0', 'persisted'));
  await world.redis.kill();
  await expect(part.behind.write(CARTS, 'k', '1', keyed('k1'))).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'redis' },
  });
  const around = await part.through.write(ORDERS, 'b', '1', keyed('k2', 'persisted'));
  expect(await part.through.write(ORDERS, 'b', '1', keyed('k2', 'persisted'))).toEqual({
    ...around,
    replayed: true,
  });
  expect(await part.through.write(ORDERS, 'a', '1', keyed('k0', 'persisted'))).toEqual({
    ...before,
    replayed: true,
  });
});

test('the same key with another request is refused in every place, and nothing happens', async () => {
  const part = await world.part({}, { alive: true });
  const reused = { code: 'idempotency-key-reused' };
  await part.behind.increment(VIEWS, 'k', 1, keyed('k1'));
  await expect(part.behind.increment(VIEWS, 'k', 2, keyed('k1', 'cached', 'g'))).rejects.toMatchObject(
    reused,
  );
  await world.withWorker(() => part.behind.increment(VIEWS, 'k', 1, keyed('k1', 'persisted')));
  await expect(part.behind.increment(VIEWS, 'k', 2, keyed('k1', 'cached', 'g'))).rejects.toMatchObject(
    reused,
  );
  await part.through.write(ORDERS, 'k', '1', keyed('k2', 'persisted'));
  await expect(part.through.write(ORDERS, 'k', '2', keyed('k2', 'persisted', 'g'))).rejects.toMatchObject(
    reused,
  );
  expect(await textOf(part)).toBe('1');
  expect(await textOf(part, ORDERS)).toBe('1');
});

test('many requests with one key at once, on two processes, count once', async () => {
  const parts = [await world.part(), await world.part()];
  await parts[0]?.behind.increment(VIEWS, 'k', 1, keyed('k0'));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => parts[i % 2]!.behind.increment(VIEWS, 'k', 1, keyed('k1'))),
  );
  expect(new Set(answers.map(({ version }) => version)).size).toBe(1);
  expect(answers.filter(({ replayed }) => replayed === undefined)).toHaveLength(1);
  expect(await textOf(parts[0] as Part)).toBe('2');
});

test('a PATCH that is repeated is answered with its receipt, whatever became of the entry since', async () => {
  const part = await world.part();
  const patch = createPatch(part.ctx, { reader: part.reader, write: part.behind.write });
  const { version } = await part.behind.write(CARTS, 'k', '{"a":1}', keyed('k0'));
  const conditional = () => ({ ...keyed('k1'), condition: { ifVersion: version } });
  const first = await patch(CARTS, 'k', '{"b":2}', conditional());
  expect(await textOf(part, CARTS)).toBe('{"a":1,"b":2}');
  expect(await patch(CARTS, 'k', '{"b":2}', conditional())).toEqual({ ...first, replayed: true });
  await part.behind.write(CARTS, 'k', null, keyed('k2'));
  expect(await patch(CARTS, 'k', '{"b":2}', conditional())).toEqual({ ...first, replayed: true });
  await expect(patch(CARTS, 'k', '{"b":2}', keyed('k3'))).rejects.toMatchObject({ code: 'entry-not-found' });
  expect(await textOf(part, CARTS)).toBe(null);
});

test('a PATCH that is repeated is answered with its receipt, also where it could not be merged with what came since', async () => {
  const part = await world.part({ MAX_VALUE_BYTES: '1024' });
  const large = JSON.stringify({ a: 'x'.repeat(1_000) });
  // As SQL can make a row; the deepest that a request may have has 100 levels.
  const deep = `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`;
  for (const [collection, write] of [
    [CARTS, part.behind.write],
    [ORDERS, part.through.write],
  ] as const) {
    const patch = createPatch(part.ctx, { reader: part.reader, write });
    const add = (once: string) => patch(collection, 'k', '{"b":"0123456789"}', keyed(once));
    await write(collection, 'k', '{"a":1}', keyed('k0'));
    const first = await add('k1');
    for (const [value, code] of [
      [large, 'value-too-large'],
      [deep, 'invalid-request'],
    ] as const) {
      await write(collection, 'k', value, keyed(`k-${code}`));
      expect(await add('k1')).toEqual({ ...first, replayed: true });
      await expect(add('never')).rejects.toMatchObject({ code });
      expect(await textOf(part, collection)).not.toContain('0123456789');
    }
  }
});

test('of two equal PATCHes with If-Match at once, on two processes, one happens and the other is answered with its receipt', async () => {
  const parts = [await world.part(), await world.part()];
  const { db } = parts[0]!.ctx;
  const { version } = await parts[0]!.through.write(ORDERS, 'k', '{"a":1}', keyed('k0'));
  const release = await holding(db, sql`SELECT FROM documents FOR UPDATE`);
  const answers = [];
  for (const [i, { ctx, reader, through }] of parts.entries()) {
    const patch = createPatch(ctx, { reader, write: through.write });
    answers.push(patch(ORDERS, 'k', '{"b":2}', { ...keyed('k1'), condition: { ifVersion: version } }));
    await waitingForLocks(db, i + 1);
  }
  await release();
  const [first, second] = await Promise.all(answers);
  expect(first).toMatchObject({ state: 'persisted' });
  expect(second).toEqual({ ...first, replayed: true });
  expect(await textOf(parts[1]!, ORDERS)).toBe('{"a": 1, "b": 2}');
});
