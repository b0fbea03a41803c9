import { type Kysely, sql, type Transaction } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../../dev/until.ts';
import type { Database } from '../../storage/postgres/database-types.ts';
import { sharedWithDecisions } from '../../storage/postgres/partition-lock.ts';
import {
  type PruneRequest,
  pruneTombstones,
  readPruneFloor,
} from '../../storage/postgres/prune-tombstones.ts';
import { type Fixture, migratedDatabase } from './postgres-fixture.ts';

let fixture: Fixture;
let db: Kysely<Database>;
beforeAll(async () => {
  fixture = await migratedDatabase();
  db = fixture.db;
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters`.execute(db);
  await sql`UPDATE pruning SET floor = 0`.execute(db);
});

const prune = (request: Partial<PruneRequest> = {}) =>
  pruneTombstones(db, {
    below: Number.MAX_SAFE_INTEGER,
    minAgeMs: 0,
    partitions: 2,
    patienceMs: 20_000,
    ...request,
  });

async function tombstone(key: string, version: number, table: 'documents' | 'counters' = 'documents') {
  await sql`INSERT INTO ${sql.table(table)} (collection, key, version, value, deleted)
    VALUES ('c', ${key}, ${version}, NULL, true)`.execute(db);
}

async function live(key: string, version: number) {
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('c', ${key}, ${version}, '1', false)`.execute(db);
}

async function deadLetter(
  key: string,
  version: number,
  state: 'dead' | 'discarded',
  where: Kysely<Database> = db,
) {
  await sql`INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, sqlstate, message, state)
    VALUES ('c', ${key}, 0, 'b', ${version}, 'document', '1', '22P02', 'm', ${state})`.execute(where);
}

async function keys(): Promise<string[]> {
  const { rows } = await sql<{ key: string }>`
    SELECT key FROM documents UNION ALL SELECT key FROM counters ORDER BY key`.execute(db);
  return rows.map(({ key }) => key);
}

const now = () => Date.now() * 1_000;

test('tombstones below the limit go, of documents and counters, and the floor says how far; everything else stays', async () => {
  await tombstone('old', 10);
  await tombstone('old-counter', 20, 'counters');
  await tombstone('at-the-limit', 30);
  await tombstone('young', 40);
  await live('lives', 5);
  expect(await prune({ below: 30 })).toEqual({ pruned: 2, floor: 20, complete: true });
  expect(await keys()).toEqual(['at-the-limit', 'lives', 'young']);
});

test('where nothing goes the floor stays', async () => {
  await sql`UPDATE pruning SET floor = 7`.execute(db);
  await tombstone('young', 40);
  expect(await prune({ below: 30 })).toEqual({ pruned: 0, floor: 7, complete: true });
});

test('the floor never sinks', async () => {
  await sql`UPDATE pruning SET floor = 700`.execute(db);
  await tombstone('old', 10);
  expect(await prune()).toEqual({ pruned: 1, floor: 700, complete: true });
});

test('a tombstone stays until it is older than the longest commit that passes no fence', async () => {
  await tombstone('old', now() - 60_000_000);
  await tombstone('young', now() - 20_000_000);
  expect(await prune({ minAgeMs: 40_000 })).toMatchObject({ pruned: 1 });
  expect(await keys()).toEqual(['young']);
  expect(await prune({ minAgeMs: 10_000 })).toMatchObject({ pruned: 1 });
});

test('an entry with an unresolved dead letter keeps its tombstone, whatever the versions', async () => {
  await tombstone('below', 10);
  await deadLetter('below', 5, 'dead');
  await tombstone('above', 10);
  await deadLetter('above', 15, 'dead');
  await tombstone('discarded', 10);
  await deadLetter('discarded', 5, 'discarded');
  expect(await prune()).toMatchObject({ pruned: 1 });
  expect(await keys()).toEqual(['above', 'below']);
  await sql`DELETE FROM dead_letters`.execute(db);
  expect(await prune()).toMatchObject({ pruned: 2 });
});

test('pages follow each other to the end, past what must stay', async () => {
  for (let i = 0; i < 20; i++)
    await tombstone(`k${String(i).padStart(2, '0')}`, i % 3 === 0 ? 1_000 : 100 - i);
  await tombstone('counter', 5, 'counters');
  expect(await prune({ below: 1_000, pageSize: 2 })).toEqual({ pruned: 14, floor: 99, complete: true });
  expect(await keys()).toHaveLength(7);
});

test('two prunings at once remove everything once', async () => {
  for (let i = 0; i < 60; i++) await tombstone(`k${i}`, 100 - i);
  const both = await Promise.all([prune({ pageSize: 4 }), prune({ pageSize: 4 })]);
  expect(both.map(({ complete }) => complete)).toEqual([true, true]);
  expect(both.reduce((sum, { pruned }) => sum + pruned, 0)).toBe(60);
  expect(await readPruneFloor(db)).toBe(100);
  expect(await keys()).toEqual([]);
});

test('a pruning that ends between two pages leaves a floor for what it removed, and the rest as it was', async () => {
  for (const [key, version] of [
    ['a', 10],
    ['b', 20],
    ['c', 90],
    ['d', 40],
  ] as const)
    await tombstone(key, version);
  await sql`CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF old.key = 'd' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN old; END $$`.execute(
    db,
  );
  await sql`CREATE TRIGGER crash BEFORE DELETE ON documents FOR EACH ROW EXECUTE FUNCTION crash()`.execute(
    db,
  );
  try {
    await expect(prune({ pageSize: 2 })).rejects.toMatchObject({ code: '57P01' });
  } finally {
    await sql`DROP FUNCTION crash CASCADE`.execute(db);
  }
  expect(await readPruneFloor(db)).toBe(20);
  expect(await keys()).toEqual(['c', 'd']);
  expect(await prune()).toEqual({ pruned: 2, floor: 90, complete: true });
});

test('a pruning that is told to end does so before its next page', async () => {
  await tombstone('a', 10);
  await expect(prune({ signal: AbortSignal.abort(new Error('shutting down')) })).rejects.toThrow(
    'shutting down',
  );
  expect(await keys()).toEqual(['a']);
});

describe('while a batch is being persisted', () => {
  /** A transaction that holds a partition as a batch does, and goes on when it is told to. */
  async function batch(partition: number, work: (trx: Transaction<Database>) => Promise<unknown>) {
    let commit = () => {};
    const told = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let holding = () => {};
    const held = new Promise<void>((resolve) => {
      holding = resolve;
    });
    const committed = db.transaction().execute(async (trx) => {
      await sql`SELECT ${sharedWithDecisions(partition)}`.execute(trx);
      await work(trx);
      holding();
      await told;
    });
    await held;
    const end = async () => {
      commit();
      await committed;
    };
    onTestFinished(end);
    return { commit: end };
  }

  async function waiting(): Promise<boolean> {
    const { rows } = await sql`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`.execute(db);
    return rows.length > 0;
  }

  test.each([0, 1])('in partition %i, no tombstone goes', async (partition) => {
    await tombstone('a', 10);
    const { commit } = await batch(partition, async () => {});
    expect(await prune({ patienceMs: 300 })).toEqual({ pruned: 0, floor: 0, complete: false });
    expect(await keys()).toEqual(['a']);
    await commit();
    expect(await prune()).toMatchObject({ pruned: 1, complete: true });
  });

  test('its outcome counts: what it wrote anew stays, and so does the tombstone of what it set aside', async () => {
    for (const key of ['deleted-again', 'goes', 'refused', 'rewritten']) await tombstone(key, 10);
    const { commit } = await batch(1, async (trx) => {
      await sql`UPDATE documents SET version = 20, value = '2', deleted = false WHERE key = 'rewritten'`.execute(
        trx,
      );
      await sql`UPDATE documents SET version = ${now() + 60_000_000} WHERE key = 'deleted-again'`.execute(
        trx,
      );
      await deadLetter('refused', 20, 'dead', trx);
    });
    const pruning = prune();
    await until(waiting, { what: 'the pruning to wait', everyMs: 5 });
    await commit();
    expect(await pruning).toEqual({ pruned: 1, floor: 10, complete: true });
    expect(await keys()).toEqual(['deleted-again', 'refused', 'rewritten']);
  });
});

test('what finds tombstones costs updates of live rows nothing: they stay in their page, and out of every index', async () => {
  await live('lives', 10);
  const hot = await db.transaction().execute(async (trx) => {
    await sql`UPDATE documents SET version = 20, value = '2' WHERE key = 'lives'`.execute(trx);
    const { rows } = await sql<{ hot: number }>`
      SELECT pg_stat_get_xact_tuples_hot_updated('documents'::regclass) AS hot`.execute(trx);
    return rows[0]?.hot;
  });
  expect(hot).toBe(1);
});
