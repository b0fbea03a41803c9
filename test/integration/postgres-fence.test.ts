import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Batch } from '../../domain/batch.ts';
import { describeError } from '../../storage/postgres/errors.ts';
import { readFence, replaceFence } from '../../storage/postgres/fence.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { batchOf, type Fixture, migratedDatabase, put, waitingForLocks } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, dead_letters, refused_batches`.execute(fixture.db);
  await sql`UPDATE partition_clocks SET epoch = '0-0', clock = 0, adopted = '{}'`.execute(fixture.db);
});

const PARTITION = 0;
const row = (key: string) => readEntry(fixture.db, 'document', { collection: 'carts', key });

function replace(expected: string, epoch: string, adopted: string[] = []) {
  return replaceFence(fixture.db, { partition: PARTITION, expected, epoch, adopted });
}

const waiting = (sessions: number) => waitingForLocks(fixture.db, sessions);

test('a new partition has the first epoch and clock 0; one that was never recorded is an error', async () => {
  expect(await readFence(fixture.db, PARTITION)).toEqual({ epoch: '0-0', clock: 0 });
  await expect(readFence(fixture.db, 7)).rejects.toThrow('partition 7 has no row');
  await expect(
    replaceFence(fixture.db, { partition: 7, expected: '0-0', epoch: '1-a', adopted: [] }),
  ).rejects.toThrow('partition 7 has no row');
});

test('a batch of an ended epoch is refused and writes nothing, one of the new epoch is persisted', async () => {
  expect(await replace('0-0', '1-a')).toEqual({ clock: 0, refused: [] });
  const old = batchOf([put('a', 2, '"old"'), put('bad', 2, '"\\u0000"')]);
  expect(await persistBatch(fixture.db, old)).toEqual({ outcome: 'refused' });
  expect(await row('a')).toBeUndefined();
  expect((await sql`SELECT FROM dead_letters`.execute(fixture.db)).rows).toHaveLength(0);
  expect((await readFence(fixture.db, PARTITION)).clock).toBe(0);
  expect(await persistBatch(fixture.db, batchOf([put('a', 4, '1')], '1-a'))).toMatchObject({
    outcome: 'persisted',
  });
});

test('an adopted batch is persisted under the new epoch, and not under the one after', async () => {
  const batch = batchOf([put('a', 2, '1')]);
  await replace('0-0', '1-a', [batch.id]);
  expect(await persistBatch(fixture.db, batch)).toMatchObject({ outcome: 'persisted' });
  expect(await row('a')).toMatchObject({ version: 2 });
  await replace('1-a', '2-b');
  const other = { ...batch, mutations: [put('b', 2, '1')] };
  expect(await persistBatch(fixture.db, other)).toEqual({ outcome: 'refused' });
});

test('a refused batch stays refused, and is not adopted later', async () => {
  const batch = batchOf([put('a', 2, '1')]);
  const fine = batchOf([put('b', 2, '1')], '1-a');
  await replace('0-0', '1-a');
  expect(await persistBatch(fixture.db, batch)).toEqual({ outcome: 'refused' });
  expect(await persistBatch(fixture.db, batch)).toEqual({ outcome: 'refused' });
  expect(await replace('1-a', '2-b', [fine.id, batch.id])).toEqual({ clock: 0, refused: [batch.id] });
  expect(await persistBatch(fixture.db, batch)).toEqual({ outcome: 'refused' });
  // Even if something else had listed it as adopted.
  await sql`UPDATE partition_clocks SET adopted = ${[batch.id]} WHERE partition = ${PARTITION}`.execute(
    fixture.db,
  );
  expect(await persistBatch(fixture.db, batch)).toEqual({ outcome: 'refused' });
  expect(await replace('2-b', '3-c', [batch.id])).toEqual({ clock: 0, refused: [batch.id] });
  expect(await row('a')).toBeUndefined();
});

test('a batch that came after a recovery had asked its slot is refused by the next one, as a worker would, and for good', async () => {
  const [seen, late] = [batchOf([put('a', 2, '1')]), batchOf([put('b', 2, '1')])];
  await replace('0-0', '1-a', [seen.id]);
  const young = batchOf([put('c', 4, '1')], '1-a');
  expect(await replace('1-a', '2-b', [seen.id, late.id, young.id])).toEqual({ clock: 0, refused: [late.id] });
  expect(await persistBatch(fixture.db, late)).toEqual({ outcome: 'refused' });
  for (const batch of [seen, young]) {
    expect(await persistBatch(fixture.db, batch)).toMatchObject({ outcome: 'persisted' });
  }
  expect(await replace('2-b', '3-c', [late.id])).toEqual({ clock: 4, refused: [late.id] });
});

test('a batch of another installation is none that a recovery refuses', async () => {
  const { rows } = await sql<{ id: string }>`SELECT id FROM installation`.execute(fixture.db);
  const named = (installation: string) => batchOf([put('a', 2, '1')], `1-${installation}aaaaaaaa`);
  const theirs = named('0'.repeat(8));
  const ours = named(rows[0]!.id);
  await replace('0-0', '2-b');
  expect(await replace('2-b', '3-c', [theirs.id, ours.id])).toEqual({ clock: 0, refused: [ours.id] });
});

test('after PostgreSQL went back to an earlier epoch, a batch of a later one waits until a recovery adopts it', async () => {
  await replace('0-0', '5-a');
  const batch = batchOf([put('a', 2, '1'), put('bad', 2, '"\\u0000"')], '6-b');
  for (let attempt = 0; attempt < 2; attempt++) {
    const failed = persistBatch(fixture.db, batch);
    await expect(failed).rejects.toThrow(/epoch 5 there, .*epoch 6.*Nothing of the batch is lost/);
    await expect(failed).rejects.toSatisfy((error) => describeError(error) === (error as Error).message);
  }
  expect((await sql`SELECT FROM refused_batches`.execute(fixture.db)).rows).toHaveLength(0);
  expect((await sql`SELECT FROM dead_letters`.execute(fixture.db)).rows).toHaveLength(0);
  expect(await row('a')).toBeUndefined();
  // The recovery may come to a name with the very number.
  expect(await replace('5-a', '6-c', [batch.id])).toEqual({ clock: 0, refused: [] });
  expect(await persistBatch(fixture.db, batch)).toMatchObject({ outcome: 'persisted' });
  expect(await row('a')).toMatchObject({ version: 2 });
  const unknown = batchOf([put('b', 2, '1')], '6-b');
  expect(await persistBatch(fixture.db, unknown)).toEqual({ outcome: 'refused' });
});

test('of recoveries that saw the same epoch exactly one replaces the fence', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => replace('0-0', `1-r${i}`)));
  expect(answers.filter((a) => a !== undefined)).toHaveLength(1);
  const winner = answers.findIndex((a) => a !== undefined);
  expect((await readFence(fixture.db, PARTITION)).epoch).toBe(`1-r${winner}`);
});

test('a replacement whose answer was lost may be repeated', async () => {
  const [refused, fine] = [batchOf([put('a', 2, '1')]), batchOf([put('b', 2, '1')], '1-a')];
  await replace('0-0', '1-a');
  await persistBatch(fixture.db, refused);
  const first = await replace('1-a', '2-b', [refused.id, fine.id]);
  expect(first).toEqual({ clock: 0, refused: [refused.id] });
  expect(await replace('1-a', '2-b', [refused.id, fine.id])).toEqual(first);
});

test('a replacement waits for a batch that passed the old fence, and its clock covers it', async () => {
  let result: ReturnType<typeof replace> | undefined;
  await fixture.db.transaction().execute(async (trx) => {
    // What persisting has done when it is about to commit.
    await sql`UPDATE partition_clocks SET clock = 5000 WHERE partition = ${PARTITION}`.execute(trx);
    result = replace('0-0', '1-a');
    await waiting(1);
  });
  expect(await result).toEqual({ clock: 5000, refused: [] });
});

test('a batch that reaches the fence while it is being replaced is refused, or persisted if adopted', async () => {
  const [adopted, late] = [batchOf([put('a', 2, '1')]), batchOf([put('b', 2, '1')])];
  let outcomes: Promise<unknown[]> | undefined;
  await fixture.db.transaction().execute(async (trx) => {
    await sql`UPDATE partition_clocks SET epoch = '1-a', adopted = ${[adopted.id]}
      WHERE partition = ${PARTITION}`.execute(trx);
    outcomes = Promise.all([persistBatch(fixture.db, adopted), persistBatch(fixture.db, late)]);
    await waiting(2);
  });
  expect(await outcomes).toEqual([{ outcome: 'persisted', setAside: [] }, { outcome: 'refused' }]);
});

test('a batch that is adopted between being refused and recording it is persisted after all', async () => {
  const batch = batchOf([put('a', 2, '1')]);
  await replace('0-0', '1-a');
  // Holds the row lock for the moment of adoption: persisting has found no welcome in its snapshot and waits to record.
  let outcome: Promise<unknown> | undefined;
  await fixture.db.transaction().execute(async (trx) => {
    await sql`SELECT FROM partition_clocks WHERE partition = ${PARTITION} FOR UPDATE`.execute(trx);
    outcome = persistBatch(fixture.db, batch);
    await waiting(1);
    await sql`UPDATE partition_clocks SET epoch = '2-b', adopted = ${[batch.id]}
      WHERE partition = ${PARTITION}`.execute(trx);
  });
  expect(await outcome).toEqual({ outcome: 'persisted', setAside: [] });
  expect((await sql`SELECT FROM refused_batches`.execute(fixture.db)).rows).toHaveLength(0);
});

test('while fences are replaced again and again, no batch is both refused and adopted, or written unadopted', async () => {
  const recoveries = fixture.open({ poolSize: 2 });
  let version = 0;
  for (let round = 0; round < 12; round++) {
    const epoch = (await readFence(fixture.db, PARTITION)).epoch;
    const batches: Batch[] = Array.from({ length: 10 }, (_, i) => {
      version += 2;
      return batchOf([put(`r${round}-${i}`, version, '1')], epoch);
    });
    const offered = batches.filter((_, i) => i % 2 === 0).map((b) => b.id);
    const next = `${round + 1}-x`;
    const [replaced, ...outcomes] = await Promise.all([
      replaceFence(recoveries, { partition: PARTITION, expected: epoch, epoch: next, adopted: offered }),
      ...batches.map((b) => persistBatch(fixture.db, b)),
    ]);
    expect(replaced?.refused).toEqual([]);
    for (const [i, batch] of batches.entries()) {
      const { outcome } = outcomes[i]!;
      const written = await row(`r${round}-${i}`);
      if (offered.includes(batch.id)) expect(outcome).toBe('persisted');
      expect(written !== undefined).toBe(outcome === 'persisted');
      // Whatever passed the old fence unadopted did so before the replacement, which therefore saw its version.
      if (outcome === 'persisted' && !offered.includes(batch.id)) {
        expect(replaced!.clock).toBeGreaterThanOrEqual(batch.mutations[0]!.version);
      }
    }
  }
});
