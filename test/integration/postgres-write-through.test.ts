import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { commitEntry, commitIncrement, type EntryCommit } from '../../storage/postgres/commit-entry.ts';
import { readFence } from '../../storage/postgres/fence.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { batchOf, count, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters`.execute(fixture.db);
  await sql`UPDATE partition_clocks SET clock = 0`.execute(fixture.db);
});

const LIMIT = Number.MAX_SAFE_INTEGER;
const soon = () => (Date.now() + 60_000) * 1_000;
const ref = (key: string) => ({ collection: 'views', key });

function commit(mutation: Mutation, more: Partial<EntryCommit> = {}) {
  return commitEntry(fixture.db, { mutation, partition: 0, notAfterMicros: soon(), ...more });
}

function increment(key: string, version: number, by: number, more: Partial<EntryCommit> = {}) {
  return commitIncrement(fixture.db, {
    ref: ref(key),
    version,
    by,
    partition: 0,
    notAfterMicros: soon(),
    ...more,
  });
}

test('a commit says whether it created the entry; a tombstone counts as absent', async () => {
  expect(await commit(put('a', 10, '1'))).toEqual({ outcome: 'committed', created: true });
  expect(await commit(put('a', 12, '2'))).toEqual({ outcome: 'committed', created: false });
  expect(await commit(put('a', 14, null))).toEqual({ outcome: 'committed', created: false });
  expect(await commit(put('a', 16, '3'))).toEqual({ outcome: 'committed', created: true });
  expect(await commit(put('never', 16, null))).toEqual({ outcome: 'committed', created: false });
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toMatchObject({
    version: 16,
    value: '3',
  });
  expect(await commit(count('a', 16, '9'))).toEqual({ outcome: 'committed', created: true });
});

test('a commit at or below the row version is superseded, by a tombstone too', async () => {
  await commit(put('a', 10, '1'));
  expect(await commit(put('a', 10, '2'))).toEqual({ outcome: 'superseded', version: 10 });
  expect(await commit(put('a', 8, '2'))).toEqual({ outcome: 'superseded', version: 10 });
  await commit(put('a', 12, null));
  expect(await commit(put('a', 11, '2'))).toEqual({ outcome: 'superseded', version: 12 });
});

test('a condition is checked against the row; a deleted entry has version 0', async () => {
  expect(await commit(put('a', 10, '1'), { condition: { ifVersion: 4 } })).toEqual({
    outcome: 'precondition-failed',
    version: 0,
  });
  expect(await commit(put('a', 10, '1'), { condition: { ifAbsent: true } })).toMatchObject({
    outcome: 'committed',
  });
  expect(await commit(put('a', 12, '2'), { condition: { ifAbsent: true } })).toEqual({
    outcome: 'precondition-failed',
    version: 10,
  });
  expect(await commit(put('a', 12, '2'), { condition: { ifVersion: 10 } })).toMatchObject({
    outcome: 'committed',
  });
  await commit(put('a', 14, null));
  expect(await commit(put('a', 16, '3'), { condition: { ifVersion: 14 } })).toEqual({
    outcome: 'precondition-failed',
    version: 0,
  });
  expect(await commit(put('a', 16, '3'), { condition: { ifAbsent: true } })).toEqual({
    outcome: 'committed',
    created: true,
  });
});

test('of many parallel commits on the same condition exactly one wins', async () => {
  const absent = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      commit(put('a', 10 + 2 * i, `${i}`), { condition: { ifAbsent: true } }),
    ),
  );
  expect(absent.filter((o) => o.outcome === 'committed')).toEqual([{ outcome: 'committed', created: true }]);
  const first = await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' });
  const before = first!.version;
  for (const o of absent)
    if (o.outcome !== 'committed') expect(o).toEqual({ outcome: 'precondition-failed', version: before });

  const matching = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      commit(put('a', 100 + 2 * i, `${i}`), { condition: { ifVersion: before } }),
    ),
  );
  expect(matching.filter((o) => o.outcome === 'committed')).toEqual([
    { outcome: 'committed', created: false },
  ]);
});

test('a commit that meets an insert in flight decides on the row that insert leaves', async () => {
  let outcomes: Promise<unknown[]> | undefined;
  await fixture.db.transaction().execute(async (trx) => {
    await sql`INSERT INTO documents (collection, key, version, value, deleted)
      VALUES ('carts', 'a', 50, '1', false)`.execute(trx);
    outcomes = Promise.all([
      commit(put('a', 60, '2'), { condition: { ifAbsent: true } }),
      commit(put('a', 40, '2')),
      commit(put('a', 70, '2')),
    ]);
    await expect
      .poll(async () => {
        const { rows } = await sql`SELECT FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(fixture.db);
        return rows.length;
      })
      .toBe(3);
  });
  const [conditional, older, newer] = (await outcomes)!;
  expect(conditional).toMatchObject({ outcome: 'precondition-failed' });
  expect(older).toMatchObject({ outcome: 'superseded' });
  expect(newer).toEqual({ outcome: 'committed', created: false });
});

test('past its deadline a commit does nothing', async () => {
  const past = (Date.now() - 10) * 1_000;
  expect(await commit(put('a', 10, '1'), { notAfterMicros: past })).toEqual({ outcome: 'too-late' });
  expect(await increment('x', 10, 1, { notAfterMicros: past })).toEqual({ outcome: 'too-late' });
  const unmet = { notAfterMicros: past, condition: { ifVersion: 4 } };
  expect(await commit(put('a', 10, '1'), unmet)).toEqual({ outcome: 'too-late' });
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toBeUndefined();
  expect((await readFence(fixture.db, 0)).clock).toBe(0);
});

test.each([
  ['the row', sql`SELECT FROM documents WHERE key = 'a' FOR UPDATE`],
  ['the clock', sql`SELECT FROM partition_clocks FOR UPDATE`],
])('a commit that waited for %s past its deadline does nothing', async (_, lock) => {
  await commit(put('a', 10, '1'));
  await sql`UPDATE partition_clocks SET clock = 0`.execute(fixture.db);
  let late: ReturnType<typeof commit> | undefined;
  await fixture.db.transaction().execute(async (trx) => {
    await lock.execute(trx);
    const deadline = (Date.now() + 300) * 1_000;
    late = commit(put('a', 20, '2'), { notAfterMicros: deadline });
    await expect
      .poll(async () => {
        const { rows } = await sql<{ past: boolean }>`SELECT count(*) = 1 AND
            extract(epoch FROM clock_timestamp()) * 1000000 > ${deadline}::bigint AS past
          FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(
          fixture.db,
        );
        return rows[0]?.past;
      })
      .toBe(true);
  });
  expect(await late).toEqual({ outcome: 'too-late' });
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toMatchObject({
    version: 10,
  });
});

test('the stored clock is at or above every committed version, and moves once a second at most', async () => {
  await commit(put('a', 5_000_000, '1'));
  expect((await readFence(fixture.db, 0)).clock).toBe(6_000_000);
  await commit(put('b', 5_999_998, '1'));
  await commit(put('c', 1_000, '1'));
  expect((await readFence(fixture.db, 0)).clock).toBe(6_000_000);
  await commit(put('d', 6_000_001, '1'));
  expect((await readFence(fixture.db, 0)).clock).toBe(7_000_001);
  const versions = Array.from({ length: 40 }, (_, i) => 8_000_000 + 500_000 * ((i * 17) % 40));
  await Promise.all(
    versions.map((v, i) => (i % 2 ? commit(put(`k${i}`, v, '1')) : increment(`k${i}`, v, 1))),
  );
  expect((await readFence(fixture.db, 0)).clock).toBeGreaterThanOrEqual(Math.max(...versions));
});

test('a commit in a partition without a row is an error, and writes nothing', async () => {
  await expect(commit(put('a', 10, '1'), { partition: 9 })).rejects.toThrow('partition 9 has no row');
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toBeUndefined();
});

test('a value that PostgreSQL refuses is an invalid request, without the value in the message', async () => {
  for (const bad of [put('a', 10, '"secret\\u0000"'), put('a', 10, '{secret}'), count('a', 10, 'secret')]) {
    const error: unknown = await commit(bad).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'invalid-request' });
    expect((error as Error).cause).toBeUndefined();
    expect((error as Error).message).toMatch(/SQLSTATE 22P0/);
    expect((error as Error).message).not.toContain('secret');
  }
});

test('parallel increments are all counted', async () => {
  let version = 0;
  const add = async (): Promise<void> => {
    for (;;) {
      version += 2;
      const answer = await increment('x', version, 3);
      if (answer.outcome === 'committed') return;
      expect(answer.outcome).toBe('superseded');
    }
  };
  await Promise.all(Array.from({ length: 40 }, add));
  expect(await readEntry(fixture.db, 'counter', ref('x'))).toMatchObject({ value: '120' });
});

test('an increment starts at 0 where there is no counter or a deleted one', async () => {
  expect(await increment('x', 10, -5)).toEqual({ outcome: 'committed', created: true, value: -5 });
  expect(await increment('x', 12, 2)).toEqual({ outcome: 'committed', created: false, value: -3 });
  await commit(count('x', 14, null));
  expect(await increment('x', 16, 7)).toEqual({ outcome: 'committed', created: true, value: 7 });
  expect(await increment('x', 16, 7)).toEqual({ outcome: 'superseded', version: 16 });
  expect(await increment('x', 18, 7, { condition: { ifVersion: 12 } })).toEqual({
    outcome: 'precondition-failed',
    version: 16,
  });
});

test('an increment reaches ±(2^53 − 1) exactly, and never passes it', async () => {
  await commit(count('x', 10, String(LIMIT - 1)));
  expect(await increment('x', 12, 1)).toMatchObject({ outcome: 'committed', value: LIMIT });
  expect(await increment('x', 14, 1)).toEqual({ outcome: 'overflow' });
  expect(await increment('x', 16, LIMIT)).toEqual({ outcome: 'overflow' });
  expect(await readEntry(fixture.db, 'counter', ref('x'))).toMatchObject({
    version: 12,
    value: String(LIMIT),
  });
  expect(await increment('y', 10, -LIMIT)).toMatchObject({ outcome: 'committed', value: -LIMIT });
  expect(await increment('y', 12, -1)).toEqual({ outcome: 'overflow' });
});

test('an increment whose result a constraint refuses is an invalid request, with and without an Idempotency-Key', async () => {
  const { db } = fixture;
  await sql`ALTER TABLE counters ADD CONSTRAINT at_most_100 CHECK (value <= 100)`.execute(db);
  try {
    expect(await increment('x', 10, 100)).toMatchObject({ outcome: 'committed' });
    const idempotency = { key: 'once', fingerprint: 'f' };
    for (const more of [{}, { idempotency }]) {
      const error = await increment('x', 12, 1, more).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(HoldfastError);
      expect(error).toMatchObject({
        code: 'invalid-request',
        message: expect.stringMatching(/at_most_100.*23514/),
      });
    }
    expect(await readEntry(db, 'counter', ref('x'))).toMatchObject({ version: 10, value: '100' });
    // The key was not used up.
    expect(await increment('x', 14, -1, { idempotency })).toMatchObject({ outcome: 'committed', value: 99 });
  } finally {
    await sql`ALTER TABLE counters DROP CONSTRAINT at_most_100`.execute(db);
  }
});

test('write-through commits and batches on the same entries do not deadlock', async () => {
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  await Promise.all([
    ...Array.from({ length: 10 }, (_, i) =>
      persistBatch(fixture.db, batchOf(keys.map((k) => put(k, 10 + 20 * i, '1')))),
    ),
    ...keys.flatMap((k, i) => [commit(put(k, 20 * i + 11, '2')), commit(put(k, 400 - 20 * i + 1, '3'))]),
  ]);
});
