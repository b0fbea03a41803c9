import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Collection } from '../../domain/collection.ts';
import { entryId } from '../../domain/entry.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { partitionOf } from '../../domain/partition.ts';
import type { BatchOperation } from '../../service/batch-operation.ts';
import type { Receipt } from '../../service/receipt.ts';
import { RedisOutcomeUnknown, RedisUnreachable } from '../../storage/redis/errors.ts';
import { CARTS, cached, createWorld, type Part, queued, VIEWS, type World, within } from './rules-fixture.ts';

let world: World;
let alive: Part;
beforeAll(async () => {
  world = await createWorld({ partitions: 2, slots: 64 });
  alive = await world.part({}, { alive: true });
});
afterAll(() => world.close());

const put = (key: string, value: string, collection: Collection = CARTS): BatchOperation => ({
  op: 'put',
  collection,
  key,
  value,
});
const add = (key: string, by: number): BatchOperation => ({ op: 'increment', collection: VIEWS, key, by });
const persisted = () => ({ deadlineAt: within(20_000), durability: 'persisted' }) as const;
const value = async (key: string, collection: Collection = CARTS) =>
  (await alive.reader.read(collection, key, cached())).state.value;
const outcomes = (results: readonly (Receipt | HoldfastError)[]) =>
  results.map((one) => (one instanceof HoldfastError ? one.code : one.state));
const puts = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => put(`${name}-${i}`, `${i}`));

const id = (i: number) => entryId({ collection: 'carts', key: `doubt-${i}` });

test('many entries take few scripts, and each gets its own receipt, in order', async () => {
  const before = alive.sent.length;
  const results = await alive.many(puts('many', 600), queued());
  expect(new Set(outcomes(results))).toEqual(new Set(['queued']));
  expect(results.map((one) => (one as Receipt).key)).toEqual(puts('many', 600).map(({ key }) => key));
  const stages = alive.sent.slice(before).filter((script) => script === 'stage');
  // Two partitions of about 300, at most 128 in a script.
  expect(stages.length).toBeLessThanOrEqual(8);
  for (const i of [0, 127, 128, 599]) expect(await value(`many-${i}`)).toBe(String(i));
  const versions = new Set(results.map((one) => `${(one as Receipt).version % 2}`));
  expect(versions).toEqual(new Set(['0']));
});

test('no script carries more than 1 MiB, in bytes and not in characters', async () => {
  const large = (i: number) => `"${i} ${'\u20ac'.repeat(100_000)}"`;
  const keys = Array.from({ length: 12 }, (_, i) => `large-${i}`);
  // Of about 300 KB each: three of them fit, and what is small goes beside them.
  const operations = keys.map((key, i) => put(key, large(i))).concat(puts('beside-large', 12));
  const counts = [0, 0];
  for (const key of keys) counts[partitionOf(entryId({ collection: 'carts', key }), 2)]! += 1;
  const before = alive.sent.length;
  const results = await alive.many(operations, cached());
  expect(results.map((one) => [(one as Receipt).key, (one as Receipt).state])).toEqual(
    operations.map(({ key }) => [key, 'cached']),
  );
  const stages = alive.sent.slice(before).filter((script) => script === 'stage');
  expect(stages.length).toBeGreaterThanOrEqual(counts.reduce((sum, count) => sum + Math.ceil(count / 3), 0));
  for (const [i, key] of keys.entries()) expect(await value(key)).toBe(large(i));
  expect(await value('beside-large-11')).toBe('11');
});

test('a batch that fills up on the way is closed, and what went into the next one says so', async () => {
  const small = await world.part({ BATCH_MAX_ENTRIES: '7' }, { alive: true });
  const results = await small.many(puts('closing', 40), queued());
  expect(new Set(outcomes(results))).toEqual(new Set(['queued']));
});

test('a counter that is not in the cache is fetched, and counted once', async () => {
  const operations = [add('cold', 5), put('beside', '1'), add('colder', 7)];
  expect(outcomes(await alive.many(operations, cached()))).toEqual(['cached', 'cached', 'cached']);
  const again = (await alive.many(operations, cached())) as Receipt[];
  expect(again.map((one) => one.value)).toEqual([10, undefined, 14]);
});

test('where the queue is full, those that found room are written and the others say so', async () => {
  const full = await world.part({ BATCH_MAX_ENTRIES: '5', STAGED_MAX_BATCHES: '1' });
  const results = outcomes(await full.many(puts('full', 60), cached()));
  expect(new Set(results)).toEqual(new Set(['cached', 'queue-full']));
  for (const [i, result] of results.entries()) {
    expect(await value(`full-${i}`)).toBe(result === 'cached' ? String(i) : null);
  }
  expect(await alive.flusher.flush(within(20_000))).toBe(true);
});

test('without an answer of Redis the outcome of all of a script is unknown, and only of those', async () => {
  const part = await world.part();
  await part.many(puts('known', 40), cached());
  part.after('stage', () => {
    throw new RedisOutcomeUnknown('Connection is closed.');
  });
  const results = outcomes(await part.many(puts('doubt', 40), cached()));
  const unknown = results.flatMap((outcome, i) =>
    outcome === 'outcome-unknown' ? [partitionOf(id(i), 2)] : [],
  );
  // All of one partition, and none of the other.
  expect(new Set(unknown).size).toBe(1);
  expect(unknown.length).toBe(results.filter((_, i) => partitionOf(id(i), 2) === unknown[0]).length);
  expect(new Set(results)).toEqual(new Set(['outcome-unknown', 'cached']));
  for (let i = 0; i < 40; i++) expect(await value(`doubt-${i}`)).toBe(String(i));
});

test('what was certainly not sent goes the way of a single write: around Redis', async () => {
  const part = await world.part();
  await part.many(puts('before', 1), cached());
  const away = () => {
    part.before('stage', away);
    throw new RedisUnreachable('no connection');
  };
  part.before('stage', away);
  expect(outcomes(await part.many(puts('around', 3), cached()))).toEqual([
    'persisted',
    'persisted',
    'persisted',
  ]);
  part.before('stage', () => {});
  expect(await value('around-2')).toBe('2');
});

test('Redis lost its memory: the writes are staged in the new epoch', async () => {
  const part = await world.part({}, { alive: true });
  await part.many(puts('epoch', 1), queued());
  await world.raw.flushall();
  expect(new Set(outcomes(await part.many(puts('epoch', 30), queued())))).toEqual(new Set(['queued']));
});

test('a value that PostgreSQL refuses is a problem of its own write', async () => {
  await world.withWorker(async () => {
    const refused = put('refused', '"\\u0000"');
    const results = await alive.many([put('kept-a', '1'), refused, put('kept-b', '2')], persisted());
    expect(outcomes(results)).toEqual(['persisted', 'invalid-request', 'persisted']);
  });
});

test('after the deadline nothing is done', async () => {
  const late = { deadlineAt: within(-1) };
  const codes = outcomes(await alive.many(puts('late', 3), late));
  expect(codes).toEqual(['deadline-exceeded', 'deadline-exceeded', 'deadline-exceeded']);
  expect(await value('late-0')).toBeNull();
});

test('a fault of the program is answered to the writes that it met, and not to the others', async () => {
  const part = await world.part();
  await part.many(puts('sound', 40), cached());
  part.after('stage', () => {
    throw new TypeError('a fault');
  });
  expect(new Set(outcomes(await part.many(puts('fault', 40), cached())))).toEqual(
    new Set(['internal', 'cached']),
  );
});
