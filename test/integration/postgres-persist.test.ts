import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { mergeMutations } from '../../domain/merge.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { readFence } from '../../storage/postgres/fence.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntries, readEntry } from '../../storage/postgres/read-entry.ts';
import { batchOf, count, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters, refused_batches`.execute(fixture.db);
});

const persisted = { outcome: 'persisted', setAside: [] };

async function contents(): Promise<unknown[]> {
  const { rows } = await sql`
    SELECT 'document' AS kind, collection, key, version, value::text, deleted FROM documents
    UNION ALL SELECT 'counter', collection, key, version, value::text, deleted FROM counters
    ORDER BY 1, 2, 3`.execute(fixture.db);
  return rows;
}

test('a batch of documents, counters and deletions is in its rows afterwards', async () => {
  const batch = batchOf([
    put('a', 2, '{"n": 1}'),
    put('b', 4, null),
    put('null', 6, 'null'),
    count('x', 8, '-9007199254740991'),
    count('y', 10, null),
  ]);
  expect(await persistBatch(fixture.db, batch)).toEqual(persisted);
  expect(await contents()).toEqual([
    {
      kind: 'counter',
      collection: 'views',
      key: 'x',
      version: 8,
      value: '-9007199254740991',
      deleted: false,
    },
    { kind: 'counter', collection: 'views', key: 'y', version: 10, value: null, deleted: true },
    { kind: 'document', collection: 'carts', key: 'a', version: 2, value: '{"n": 1}', deleted: false },
    { kind: 'document', collection: 'carts', key: 'b', version: 4, value: null, deleted: true },
    { kind: 'document', collection: 'carts', key: 'null', version: 6, value: 'null', deleted: false },
  ]);
});

test('a late batch cannot overwrite a newer row, nor bring a deleted entry back', async () => {
  await persistBatch(
    fixture.db,
    batchOf([put('a', 20, '"new"'), put('gone', 20, null), count('x', 20, '7')]),
  );
  const late = batchOf([put('a', 10, '"old"'), put('gone', 10, '"old"'), count('x', 10, '3')]);
  expect(await persistBatch(fixture.db, late)).toEqual(persisted);
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toMatchObject({
    version: 20,
    value: '"new"',
  });
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'gone' })).toMatchObject({
    version: 20,
    value: null,
  });
  expect(await readEntry(fixture.db, 'counter', { collection: 'views', key: 'x' })).toMatchObject({
    version: 20,
    value: '7',
  });
});

test('any order, repetition and split of the mutations gives the same rows', async () => {
  // Keys beyond U+FFFF sort differently in JavaScript and in PostgreSQL.
  const key = fc.constantFrom('a', 'b', 'B', 'ä', '\u{1F600}', '\uFF5E', 'a/b');
  const drafts = fc.array(fc.tuple(key, fc.boolean(), fc.option(fc.integer({ min: -99, max: 99 }))), {
    minLength: 1,
    maxLength: 25,
  });
  const plan = fc.array(fc.array(fc.nat(), { maxLength: 12 }), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(drafts, plan, async (writes, batches) => {
      await sql`TRUNCATE documents, counters`.execute(fixture.db);
      const mutations: Mutation[] = writes.map(([k, counter, value], i) =>
        (counter ? count : put)(k, 2 * i + 2, value === null ? null : String(value)),
      );
      // Every mutation travels at least once; the plan adds repetitions in any company and order.
      const lists = [...batches, mutations.map((_, i) => mutations.length - 1 - i)].map((indexes) =>
        mergeMutations(indexes.map((i) => mutations[i % mutations.length]!)),
      );
      const outcomes = await Promise.all(lists.map((list) => persistBatch(fixture.db, batchOf(list))));
      for (const outcome of outcomes) expect(outcome).toEqual(persisted);
      const want = mergeMutations(mutations).map((m) => `${m.kind} ${m.key} ${m.version} ${m.value}`);
      const rows = (await contents()) as Mutation[];
      expect(rows.map((m) => `${m.kind} ${m.key} ${m.version} ${m.value}`).sort()).toEqual(want.sort());
    }),
    { numRuns: 40 },
  );
});

test('batches that share their entries in opposite orders do not deadlock', async () => {
  const keys = Array.from({ length: 200 }, (_, i) => `${i % 2 ? '\u{1F600}' : '\uFF5E'}${i}`);
  const mutations = keys.flatMap((key) => [put(key, 2, '1'), count(key, 2, '1')]);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      const raised = mutations.map((m) => ({ ...m, version: 2 + 2 * i }));
      return persistBatch(fixture.db, batchOf(i % 2 ? raised : raised.reverse()));
    }),
  );
  expect(outcomes).toEqual(outcomes.map(() => persisted));
  expect((await contents()).every((row) => (row as Mutation).version === 40)).toBe(true);
});

test('long numbers in documents keep every digit', async () => {
  const text = `{"big": 123456789012345678901234567890, "exact": 9007199254740993, "long": 0.${'1234567890'.repeat(9)}}`;
  await persistBatch(fixture.db, batchOf([put('a', 2, text)]));
  const row = await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' });
  expect(row?.value).toContain('123456789012345678901234567890');
  expect(row?.value).toContain('9007199254740993');
  expect(row?.value).toContain(`0.${'1234567890'.repeat(9)}`);
});

test('the clock covers every version and never goes down', async () => {
  const { clock: before } = await readFence(fixture.db, 0);
  await persistBatch(fixture.db, batchOf([put('a', before + 1_000, '1'), put('b', before + 3_000, '1')]));
  expect((await readFence(fixture.db, 0)).clock).toBe(before + 3_000);
  await persistBatch(fixture.db, batchOf([put('c', before + 2_000, '1')]));
  expect((await readFence(fixture.db, 0)).clock).toBe(before + 3_000);
});

test('an empty batch is persisted', async () => {
  expect(await persistBatch(fixture.db, batchOf([]))).toEqual(persisted);
});

test('many entries are read at once, tombstones included, unknown ones left out', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 2, '[1]'), put('b', 4, null), count('a', 6, '5')]));
  const refs = ['a', 'b', 'unknown'].map((key) => ({ collection: 'carts', key }));
  const rows = await readEntries(fixture.db, 'document', refs);
  expect(rows.sort((x, y) => x.version - y.version)).toEqual([
    { kind: 'document', collection: 'carts', key: 'a', version: 2, value: '[1]' },
    { kind: 'document', collection: 'carts', key: 'b', version: 4, value: null },
  ]);
  expect(await readEntries(fixture.db, 'counter', [{ collection: 'views', key: 'a' }])).toEqual([
    { kind: 'counter', collection: 'views', key: 'a', version: 6, value: '5' },
  ]);
  expect(await readEntries(fixture.db, 'counter', [])).toEqual([]);
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'unknown' })).toBeUndefined();
});

test('a batch of a partition without a row is an error, and writes nothing', async () => {
  const batch = { ...batchOf([put('a', 2, '1')]), partition: 9 };
  await expect(persistBatch(fixture.db, batch)).rejects.toThrow('partition 9 has no row');
  expect(await contents()).toEqual([]);
});

test('an aborted call ends at once, also while it waits for a lock, and writes nothing', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 2, '1')]));
  const controller = new AbortController();
  await fixture.db.transaction().execute(async (blocker) => {
    await sql`SELECT FROM documents WHERE key = 'a' FOR UPDATE`.execute(blocker);
    const call = persistBatch(fixture.db, batchOf([put('a', 4, '2')]), { signal: controller.signal });
    await expect
      .poll(async () => {
        const { rows } = await sql`SELECT FROM pg_stat_activity WHERE datname = current_database()
          AND wait_event_type = 'Lock'`.execute(fixture.db);
        return rows.length;
      })
      .toBe(1);
    controller.abort(new Error('out of patience'));
    await expect(call).rejects.toThrow('out of patience');
  });
  await expect
    .poll(async () => {
      const { rows } = await sql`SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND state <> 'idle' AND pid <> pg_backend_pid()`.execute(fixture.db);
      return rows.length;
    })
    .toBe(0);
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toMatchObject({
    version: 2,
  });
  await expect(
    persistBatch(fixture.db, batchOf([put('a', 6, '3')]), { signal: controller.signal }),
  ).rejects.toThrow('out of patience');
});
