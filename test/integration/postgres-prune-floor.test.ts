import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { commitEntry, commitIncrement } from '../../storage/postgres/commit-entry.ts';
import { listDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { batchOf, count, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

const FLOOR = 100;
let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters`.execute(fixture.db);
  await setFloor(0);
});

async function setFloor(floor: number): Promise<void> {
  await sql`UPDATE pruning SET floor = ${floor}`.execute(fixture.db);
}

const persisted = { outcome: 'persisted', setAside: [] };
const versionOf = async (kind: 'document' | 'counter', key: string) =>
  (await readEntry(fixture.db, kind, { collection: kind === 'document' ? 'carts' : 'views', key }))?.version;
const soon = () => (Date.now() + 60_000) * 1_000;

test('a batch makes no row at or below the floor, and is persisted all the same', async () => {
  await setFloor(FLOOR);
  const batch = batchOf([
    put('below', FLOOR - 2, '1'),
    put('at', FLOOR, '1'),
    put('above', FLOOR + 2, '1'),
    count('below', FLOOR - 2, '1'),
    count('above', FLOOR + 2, '1'),
  ]);
  expect(await persistBatch(fixture.db, batch)).toEqual(persisted);
  expect(await Promise.all(['below', 'at', 'above'].map((key) => versionOf('document', key)))).toEqual([
    undefined,
    undefined,
    FLOOR + 2,
  ]);
  expect(await versionOf('counter', 'below')).toBeUndefined();
  expect(await versionOf('counter', 'above')).toBe(FLOOR + 2);
  expect(await listDeadLetters(fixture.db, { after: 0, limit: 10 })).toEqual([]);
});

test('a row that is there is raised below the floor as anywhere: only pruned tombstones leave no row', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 10, '1'), put('deleted', 10, null), count('a', 10, '1')]));
  await setFloor(FLOOR);
  const late = batchOf([
    put('a', 20, '2'),
    put('deleted', 20, '2'),
    count('a', 20, '2'),
    put('new', 20, '2'),
  ]);
  expect(await persistBatch(fixture.db, late)).toEqual(persisted);
  expect(await versionOf('document', 'a')).toBe(20);
  expect(await versionOf('document', 'deleted')).toBe(20);
  expect(await versionOf('counter', 'a')).toBe(20);
  expect(await versionOf('document', 'new')).toBeUndefined();
});

test('a counter and a document of one name are not taken for each other', async () => {
  await persistBatch(fixture.db, batchOf([{ ...count('k', 10, '1'), collection: 'carts' }]));
  await setFloor(FLOOR);
  await persistBatch(fixture.db, batchOf([put('k', 20, '1')]));
  expect(await versionOf('document', 'k')).toBeUndefined();
});

test('a direct commit without a row takes a new version above the floor', async () => {
  await setFloor(FLOOR);
  const commit = (version: number) =>
    commitEntry(fixture.db, { mutation: put('a', version, '1'), partition: 0, notAfterMicros: soon() });
  const increment = (version: number) =>
    commitIncrement(fixture.db, {
      ref: { collection: 'views', key: 'a' },
      version,
      by: 1,
      partition: 0,
      notAfterMicros: soon(),
    });
  for (const write of [commit, increment]) {
    expect(await write(FLOOR - 2)).toEqual({ outcome: 'superseded', version: FLOOR });
    expect(await write(FLOOR)).toEqual({ outcome: 'superseded', version: FLOOR });
    expect(await write(FLOOR + 2)).toMatchObject({ outcome: 'committed', created: true });
  }
});

test('a direct commit over a row below the floor goes by the row', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 10, '1')]));
  await setFloor(FLOOR);
  const commit = (version: number) =>
    commitEntry(fixture.db, { mutation: put('a', version, '2'), partition: 0, notAfterMicros: soon() });
  expect(await commit(10)).toEqual({ outcome: 'superseded', version: 10 });
  expect(await commit(20)).toEqual({ outcome: 'committed', created: false });
});

test('nothing is written while nobody can tell how far tombstones were pruned', async () => {
  await sql`DELETE FROM pruning`.execute(fixture.db);
  try {
    await expect(persistBatch(fixture.db, batchOf([put('a', 2, '1')]))).rejects.toThrow('"pruning" is gone');
  } finally {
    await sql`INSERT INTO pruning DEFAULT VALUES`.execute(fixture.db);
  }
  expect(await versionOf('document', 'a')).toBeUndefined();
});
