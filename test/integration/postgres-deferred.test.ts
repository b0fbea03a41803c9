import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { commitEntry, commitIncrement } from '../../storage/postgres/commit-entry.ts';
import { createSharedCommits } from '../../storage/postgres/commit-shared.ts';
import { commitTogether } from '../../storage/postgres/commit-together.ts';
import { listDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { retryDeadLetter } from '../../storage/postgres/retry-dead-letter.ts';
import { batchOf, count, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

/**
 * What somebody may add to the tables: a constraint that PostgreSQL looks at when a transaction commits, and a trigger that
 * it runs then.
 */
let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
  const { db } = fixture;
  await sql`CREATE TABLE known (key text COLLATE "C" PRIMARY KEY)`.execute(db);
  await sql`INSERT INTO known SELECT 'k' || i FROM generate_series(0, 99) AS i`.execute(db);
  await sql`ALTER TABLE documents ADD CONSTRAINT only_known FOREIGN KEY (key) REFERENCES known
    DEFERRABLE INITIALLY DEFERRED`.execute(db);
  await sql`CREATE FUNCTION at_most_100() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF new.value > 100 THEN RAISE check_violation USING MESSAGE = 'more than 100'; END IF;
      RETURN null;
    END $$`.execute(db);
  await sql`CREATE CONSTRAINT TRIGGER at_most_100 AFTER INSERT OR UPDATE ON counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_most_100()`.execute(db);
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters`.execute(fixture.db);
  await sql`UPDATE partition_clocks SET clock = 0`.execute(fixture.db);
});

const notAfterMicros = (Date.now() + 600_000) * 1_000;
const refused = (message: RegExp) => ({
  code: 'invalid-request',
  message: expect.stringMatching(message),
});
const rowOf = (key: string) => readEntry(fixture.db, 'document', { collection: 'carts', key });

test('what a deferred constraint refuses at the commit of a batch is set aside, and the rest commits', async () => {
  const { db } = fixture;
  const good = Array.from({ length: 40 }, (_, i) => (i % 2 ? put(`k${i}`, 2, '1') : count(`k${i}`, 2, '1')));
  const batch = batchOf([...good, put('unknown', 2, '1'), count('much', 2, '101'), put('also', 2, '2')]);
  for (const delivery of ['first', 'again']) {
    const outcome = await persistBatch(db, batch);
    if (outcome.outcome !== 'persisted') throw new Error(outcome.outcome);
    expect([delivery, outcome.setAside.map(({ key, sqlstate }) => `${key} ${sqlstate}`).sort()]).toEqual([
      delivery,
      ['also 23503', 'much 23514', 'unknown 23503'],
    ]);
  }
  const { rows } = await sql<{ n: number }>`SELECT (SELECT count(*) FROM documents)
    + (SELECT count(*) FROM counters) AS n`.execute(db);
  expect(rows).toEqual([{ n: 40 }]);
  expect(await listDeadLetters(db, { after: 0, limit: 10 })).toHaveLength(3);
});

test('a write that depends on another one of its batch is not set aside for coming before it', async () => {
  const { db } = fixture;
  await sql`CREATE FUNCTION needed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF new.value->>'needs' NOT IN (SELECT key FROM documents UNION SELECT key FROM counters) THEN
        RAISE foreign_key_violation USING MESSAGE = 'needs another';
      END IF;
      RETURN null;
    END $$`.execute(db);
  await sql`CREATE CONSTRAINT TRIGGER needed AFTER INSERT OR UPDATE ON documents
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION needed()`.execute(db);
  const needs = (key: string, other: string) => put(key, 2, JSON.stringify({ needs: other }));
  try {
    const chain = [needs('k1', 'k2'), needs('k2', 'k3'), needs('k3', 'k9'), count('k9', 2, '1')];
    expect(await persistBatch(db, batchOf(chain))).toEqual({ outcome: 'persisted', setAside: [] });
    await sql`TRUNCATE documents, counters`.execute(db);
    // What nothing can mend, and what needs that.
    const poison = [put('unknown', 2, '1'), needs('k4', 'unknown'), count('much', 2, '101')];
    const outcome = await persistBatch(db, batchOf([...chain, ...poison]));
    if (outcome.outcome !== 'persisted') throw new Error(outcome.outcome);
    expect(outcome.setAside.map(({ key, sqlstate }) => `${key} ${sqlstate}`).sort()).toEqual([
      'k4 23503',
      'much 23514',
      'unknown 23503',
    ]);
    for (const key of ['k1', 'k2', 'k3']) expect(await rowOf(key)).toMatchObject({ version: 2 });
    expect(await listDeadLetters(db, { after: 0, limit: 10 })).toHaveLength(3);
  } finally {
    await sql`DROP TRIGGER needed ON documents`.execute(db);
  }
});

test('nothing is asked of PostgreSQL for it while all is well', async () => {
  const { db } = fixture;
  const asked: string[] = [];
  const logged = db.withPlugin({
    transformQuery: ({ node }) => {
      asked.push(node.kind === 'RawNode' ? node.sqlFragments.join('?') : node.kind);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await persistBatch(logged, batchOf([put('k1', 2, '1')]));
  expect(asked.some((text) => /read-decisions/.test(text))).toBe(true);
  expect(asked.some((text) => /CONSTRAINTS/.test(text))).toBe(false);
  await persistBatch(logged, batchOf([put('unknown', 2, '1')]));
  expect(asked.filter((text) => /CONSTRAINTS/.test(text))).toHaveLength(1);
});

test('what a deferred trigger refuses by a plain RAISE EXCEPTION is set aside, and the rest commits', async () => {
  const { db } = fixture;
  await sql`CREATE FUNCTION no_thirteen() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF new.value = 13 THEN RAISE EXCEPTION 'not %', new.value; END IF; RETURN null; END $$`.execute(
    db,
  );
  await sql`CREATE CONSTRAINT TRIGGER no_thirteen AFTER INSERT ON counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_thirteen()`.execute(db);
  try {
    const batch = batchOf([count('k1', 2, '1'), count('k2', 2, '13'), put('k3', 2, '1')]);
    expect(await persistBatch(db, batch)).toMatchObject({
      outcome: 'persisted',
      setAside: [{ key: 'k2', sqlstate: 'P0001', message: 'not 13' }],
    });
    expect(await rowOf('k3')).toMatchObject({ version: 2 });
  } finally {
    await sql`DROP TRIGGER no_thirteen ON counters`.execute(db);
  }
});

test('an error at the commit that is about no single write is thrown, once', async () => {
  const { db } = fixture;
  await sql`CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'never' USING ERRCODE = '55000'; END $$`.execute(db);
  await sql`CREATE CONSTRAINT TRIGGER never AFTER INSERT ON counters
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION never()`.execute(db);
  try {
    await expect(persistBatch(db, batchOf([count('k1', 2, '1')]))).rejects.toMatchObject({ code: '55000' });
  } finally {
    await sql`DROP TRIGGER never ON counters`.execute(db);
  }
  expect(await listDeadLetters(db, { after: 0, limit: 10 })).toEqual([]);
});

test('a write-through write that it refuses is an invalid request, and nothing was written', async () => {
  const { db } = fixture;
  const more = { partition: 0, notAfterMicros };
  await expect(commitEntry(db, { mutation: put('unknown', 2, '1'), ...more })).rejects.toMatchObject(
    refused(/only_known.*23503/),
  );
  const ref = { collection: 'views', key: 'x' };
  expect(await commitIncrement(db, { ref, version: 2, by: 100, ...more })).toMatchObject({ value: 100 });
  await expect(commitIncrement(db, { ref, version: 4, by: 1, ...more })).rejects.toMatchObject(
    refused(/23514/),
  );
  const writes = [put('k1', 2, '1'), put('unknown', 2, '1')].map((m) => ({ ...m, partition: 0 }));
  await expect(
    commitTogether(db, { writes, notAfterMicros, waitUntil: performance.now() + 5_000 }),
  ).rejects.toMatchObject(refused(/only_known.*23503/));
  expect(await rowOf('k1')).toBeUndefined();
  expect(await rowOf('unknown')).toBeUndefined();
  expect(await readEntry(db, 'counter', ref)).toMatchObject({ version: 2, value: '100' });
});

test('of commits that share a transaction, only the one that it refuses fails', async () => {
  const commit = createSharedCommits(fixture.db, 5_000);
  const all = ['k1', 'unknown', 'k2', 'k3'].map((key) =>
    commit({ mutation: put(key, 2, '1'), partition: 0, notAfterMicros }).then(
      ({ outcome }) => outcome,
      (error: { code?: string }) => error.code,
    ),
  );
  expect(await Promise.all(all)).toEqual(['committed', 'invalid-request', 'committed', 'committed']);
  expect(await rowOf('k3')).toMatchObject({ version: 2 });
});

test('a dead letter that it still refuses stays one', async () => {
  const { db } = fixture;
  await persistBatch(db, batchOf([put('unknown', 2, '1')]));
  const [letter] = await listDeadLetters(db, { after: 0, limit: 10 });
  const retry = { id: letter?.id ?? 0, by: 'test', partition: 0, notAfterMicros, lockTimeoutMs: 5_000 };
  expect(await retryDeadLetter(db, retry)).toMatchObject({ outcome: 'refused', sqlstate: '23503' });
  expect(await rowOf('unknown')).toBeUndefined();
});
