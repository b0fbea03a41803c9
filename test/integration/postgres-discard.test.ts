import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import type { Batch } from '../../domain/batch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { listDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { discardMutations } from '../../storage/postgres/discard.ts';
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
  await sql`TRUNCATE documents, counters, dead_letters, refused_batches`.execute(fixture.db);
});

async function discard(batch: Batch, mutations: readonly Mutation[], lockTimeoutMs = 20_000) {
  const outcomes = await discardMutations(fixture.db, {
    partition: 0,
    batchId: batch.id,
    mutations,
    reason: 'a mistake',
    by: 'tester',
    lockTimeoutMs,
  });
  return outcomes.map(({ key, outcome }) => `${key} ${outcome}`);
}

const rowOf = (key: string) => readEntry(fixture.db, 'document', { collection: 'carts', key });
const listed = async () =>
  (await listDeadLetters(fixture.db, { after: 0, limit: 100 })).map(
    ({ key, version }) => `${key}@${version}`,
  );

/** Waits until so many sessions of this database wait for a lock of this type. */
async function waiting(type: 'advisory' | 'relation' | 'transactionid', sessions = 1): Promise<void> {
  const find = async () => {
    const { rows } = await sql`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = ${type}`.execute(
      fixture.db,
    );
    return rows.length >= sessions;
  };
  await until(find, { what: `${sessions} sessions to wait for a lock (${type})`, timeoutMs: 20_000 });
}

describe('a discarded write', () => {
  test('is recorded with who, why and what, and is skipped in any batch, whose neighbours commit', async () => {
    const batch = batchOf([
      put('x', 4, '{"n": 1}'),
      put('gone', 6, null),
      put('y', 8, '1'),
      count('c', 8, '7'),
    ]);
    expect(await discard(batch, batch.mutations.slice(0, 2))).toEqual(['x discarded', 'gone discarded']);
    const letters = await listDeadLetters(fixture.db, { after: 0, limit: 10 });
    expect(letters).toEqual([
      {
        id: expect.any(Number),
        collection: 'carts',
        key: 'x',
        version: 4,
        kind: 'document',
        partition: 0,
        batchId: batch.id,
        value: '{"n": 1}',
        valueLength: 8,
        state: 'discarded',
        sqlstate: null,
        message: null,
        reason: 'a mistake',
        decidedBy: 'tester',
        decidedAt: expect.any(Date),
        createdAt: expect.any(Date),
      },
      expect.objectContaining({ key: 'gone', value: null, valueLength: 0 }),
    ]);
    for (const one of [batch, batchOf(batch.mutations)]) {
      const outcome = await persistBatch(fixture.db, one);
      expect(outcome.outcome === 'persisted' && outcome.setAside.map(({ key }) => key).sort()).toEqual([
        'gone',
        'x',
      ]);
    }
    expect(await rowOf('x')).toBeUndefined();
    expect(await rowOf('gone')).toBeUndefined();
    expect(await rowOf('y')).toMatchObject({ version: 8 });
  });

  test('is refused where its row has it, or a newer version; one that is listed stays as it was', async () => {
    await persistBatch(fixture.db, batchOf([put('same', 4, '1'), put('newer', 6, '1'), count('c', 6, '1')]));
    await persistBatch(fixture.db, batchOf([put('dead', 4, '"\\u0000"')]));
    const batch = batchOf([
      put('same', 4, '1'),
      put('newer', 4, '2'),
      count('c', 4, '2'),
      put('dead', 4, '"\\u0000"'),
      put('older', 4, '1'),
    ]);
    await persistBatch(fixture.db, batchOf([put('older', 2, '1')]));
    expect(await discard(batch, batch.mutations)).toEqual([
      'same already-persisted',
      'newer already-persisted',
      'c already-persisted',
      'dead already-listed',
      'older discarded',
    ]);
    expect(await discard(batch, batch.mutations.slice(3))).toEqual([
      'dead already-listed',
      'older already-listed',
    ]);
    expect((await listDeadLetters(fixture.db, { after: 0, limit: 9 })).map(({ state }) => state)).toEqual([
      'dead',
      'discarded',
    ]);
  });

  test('raises the clock: no later write is given its version, and so taken for it', async () => {
    const { clock } = await readFence(fixture.db, 0);
    const batch = batchOf([put('x', clock + 500, '1')]);
    await discard(batch, batch.mutations);
    expect((await readFence(fixture.db, 0)).clock).toBe(clock + 500);
  });
});

describe('a discard while the batch is being persisted', () => {
  const ROUNDS = 8;

  test('waits for a persist that has looked for decisions already, and then finds the row', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [x, last] = [put(`x${round}`, 4, '1'), put(`z${round}`, 4, '1')];
      await persistBatch(fixture.db, batchOf([{ ...last, version: 2 }]));
      const batch = batchOf([x, last]);
      let persisting: Promise<unknown> | undefined;
      let discarding: Promise<string[]> | undefined;
      await fixture.db.transaction().execute(async (blocker) => {
        await sql`SELECT FROM documents WHERE key = ${last.key} FOR UPDATE`.execute(blocker);
        persisting = persistBatch(fixture.db, batch);
        await waiting('transactionid');
        discarding = discard(batch, [x]);
        await waiting('advisory');
      });
      expect(await persisting).toEqual({ outcome: 'persisted', setAside: [] });
      expect(await discarding).toEqual([`x${round} already-persisted`]);
      expect(await rowOf(x.key)).toMatchObject({ version: 4 });
    }
    expect(await listed()).toEqual([]);
  });

  test('keeps a persist that came later waiting, which then skips what was discarded', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [x, last] = [put(`x${round}`, 4, '1'), put(`z${round}`, 4, '1')];
      const batch = batchOf([x, last]);
      let persisting: Promise<unknown> | undefined;
      let discarding: Promise<string[]> | undefined;
      await fixture.db.transaction().execute(async (blocker) => {
        // The discard takes its lock, and waits here before it writes its record.
        await sql`LOCK TABLE dead_letters IN SHARE MODE`.execute(blocker);
        discarding = discard(batch, [x]);
        await waiting('relation');
        persisting = persistBatch(fixture.db, batch);
        await waiting('advisory');
      });
      expect(await discarding).toEqual([`x${round} discarded`]);
      expect(await persisting).toMatchObject({
        outcome: 'persisted',
        setAside: [{ key: x.key, version: 4 }],
      });
      expect(await rowOf(x.key)).toBeUndefined();
      expect(await rowOf(last.key)).toMatchObject({ version: 4 });
    }
  });

  test('is decided one way or the other, however they meet', async () => {
    const seen = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const x = put(`x${round}`, 4, '1');
      const batch = batchOf([x, put(`y${round}`, 4, '1')]);
      const [, , [outcome]] = await Promise.all([
        persistBatch(fixture.db, batch),
        persistBatch(fixture.db, batchOf(batch.mutations)),
        new Promise((resolve) => setTimeout(resolve, round % 8)).then(() => discard(batch, [x])),
      ]);
      seen.add(outcome!.split(' ')[1]!);
      const persisted = (await rowOf(x.key)) !== undefined;
      expect([persisted, outcome]).toEqual([
        persisted,
        `${x.key} ${persisted ? 'already-persisted' : 'discarded'}`,
      ]);
      expect((await listed()).includes(`${x.key}@4`)).toBe(!persisted);
    }
    expect([...seen]).toContain('already-persisted');
  });

  test('gives up in time where a batch does not come to an end, and has changed nothing', async () => {
    await persistBatch(fixture.db, batchOf([put('z', 2, '1')]));
    const batch = batchOf([put('x', 4, '1'), put('z', 4, '1')]);
    let persisting: Promise<unknown> | undefined;
    await fixture.db.transaction().execute(async (blocker) => {
      await sql`SELECT FROM documents WHERE key = 'z' FOR UPDATE`.execute(blocker);
      persisting = persistBatch(fixture.db, batch);
      await waiting('transactionid');
      await expect(discard(batch, batch.mutations, 100)).rejects.toMatchObject({
        code: 'dependency-unavailable',
        details: { dependency: 'postgres' },
      });
    });
    expect(await persisting).toEqual({ outcome: 'persisted', setAside: [] });
    expect(await listed()).toEqual([]);
  });

  test('does not wait for batches of other partitions', async () => {
    await persistBatch(fixture.db, batchOf([put('z', 2, '1')]));
    const other = { ...batchOf([put('z', 4, '1')]), partition: 1 };
    let persisting: Promise<unknown> | undefined;
    await fixture.db.transaction().execute(async (blocker) => {
      await sql`SELECT FROM documents WHERE key = 'z' FOR UPDATE`.execute(blocker);
      persisting = persistBatch(fixture.db, other);
      await waiting('transactionid');
      const batch = batchOf([put('x', 4, '1')]);
      expect(await discard(batch, batch.mutations)).toEqual(['x discarded']);
    });
    await persisting;
  });
});
