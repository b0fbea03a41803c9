import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Mutation } from '../../domain/mutation.ts';
import type { EntryCommit } from '../../storage/postgres/commit-entry.ts';
import { type CommitEntry, createSharedCommits } from '../../storage/postgres/commit-shared.ts';
import { describeError, didNotHappen, isUnreachable } from '../../storage/postgres/errors.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { type Fixture, holding, migratedDatabase, put } from './postgres-fixture.ts';

let fixture: Fixture;
let commitEntry: CommitEntry;
beforeAll(async () => {
  fixture = await migratedDatabase();
  commitEntry = createSharedCommits(fixture.db, 5_000);
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters`.execute(fixture.db);
  await sql`UPDATE partition_clocks SET clock = 0`.execute(fixture.db);
});

const commit = (mutation: Mutation, more: Partial<EntryCommit> = {}) =>
  commitEntry({ mutation, partition: 0, notAfterMicros: (Date.now() + 60_000) * 1_000, ...more });
const created = { outcome: 'committed', created: true };
const replaced = { outcome: 'committed', created: false };
const storedValue = async (key: string) =>
  (await readEntry(fixture.db, 'document', { collection: 'carts', key }))?.value;
/** How many transactions wrote the rows. */
async function transactions(): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(DISTINCT xmin::text) AS n FROM documents`.execute(
    fixture.db,
  );
  return rows[0]?.n ?? 0;
}

test('commits that come at about the same time share a transaction, new rows and old ones', async () => {
  await commit(put('old', 2, '1'));
  await commit(put('deleted', 2, null));
  const answers = await Promise.all([
    commit(put('new', 4, '1')),
    commit(put('old', 4, '{"n": 9007199254740993}')),
    commit(put('deleted', 4, '3')),
    commit(put('never', 4, null)),
    commit({ ...put('counted', 4, '5'), collection: 'views', kind: 'counter' }),
  ]);
  expect(answers).toEqual([created, replaced, created, replaced, created]);
  expect(await transactions()).toBe(1);
  expect(await storedValue('old')).toBe('{"n": 9007199254740993}');
  const { rows } = await sql<{
    clock: number;
  }>`SELECT clock FROM partition_clocks WHERE partition = 0`.execute(fixture.db);
  expect(rows[0]?.clock).toBeGreaterThanOrEqual(4);
});

test('one that cannot be committed does not keep the others from it', async () => {
  await commit(put('newer', 10, '1'));
  const answers = await Promise.allSettled([
    commit(put('a', 4, '1')),
    commit(put('refused', 4, '"\\u0000"')),
    commit(put('newer', 4, '2')),
    commit(put('late', 4, '2'), { notAfterMicros: 1 }),
    commit(put('b', 4, '2')),
  ]);
  expect(answers).toMatchObject([
    { value: created },
    { status: 'rejected', reason: { code: 'invalid-request' } },
    { value: { outcome: 'superseded', version: 10 } },
    { value: { outcome: 'too-late' } },
    { value: created },
  ]);
  expect([await storedValue('newer'), await storedValue('late'), await storedValue('b')]).toEqual([
    '1',
    undefined,
    '2',
  ]);
});

test('two of one entry are committed one after the other', async () => {
  const answers = await Promise.all([
    commit(put('twice', 4, '1')),
    commit(put('other', 4, '1')),
    commit(put('twice', 6, '2')),
  ]);
  expect(answers).toEqual([created, created, replaced]);
  expect(await storedValue('twice')).toBe('2');
});

test('a row that somebody else holds keeps only its own write waiting', async () => {
  await commit(put('held', 2, '1'));
  const release = await holding(fixture.open(), sql`SELECT FROM documents WHERE key = 'held' FOR UPDATE`);
  let waited = false;
  const began = performance.now();
  const waiting = commit(put('held', 4, '2')).finally(() => {
    waited = true;
  });
  expect(await Promise.all([commit(put('a', 4, '1')), commit(put('b', 4, '1'))])).toEqual([created, created]);
  expect(waited).toBe(false);
  expect(performance.now() - began).toBeLessThan(5_000);
  await release();
  expect(await waiting).toEqual(replaced);
});

test('writes with a condition or an Idempotency-Key are by themselves', async () => {
  const idempotency = { key: 'k'.repeat(32), fingerprint: 'f' };
  expect(
    await Promise.all([
      commit(put('a', 4, '1'), { condition: { ifAbsent: true } }),
      commit(put('b', 4, '1'), { idempotency }),
      commit(put('c', 4, '1'), { condition: { ifVersion: 8 } }),
    ]),
  ).toEqual([created, created, { outcome: 'precondition-failed', version: 0 }]);
  expect(await transactions()).toBe(2);
});

test('where rows of others appear each time, nothing is in doubt: each is committed by itself', async () => {
  // What the shared statement sees where somebody else is always faster: a row that it could not insert.
  await sql`CREATE FUNCTION always_faster() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_query() LIKE '/* insert-documents */%' THEN RETURN NULL; END IF; RETURN NEW; END $$`.execute(
    fixture.db,
  );
  await sql`CREATE TRIGGER always_faster BEFORE INSERT ON documents
    FOR EACH ROW EXECUTE FUNCTION always_faster()`.execute(fixture.db);
  try {
    const answers = await Promise.allSettled([commit(put('a', 4, '1')), commit(put('b', 4, '1'))]);
    expect(answers).toEqual([
      { status: 'fulfilled', value: created },
      { status: 'fulfilled', value: created },
    ]);
    expect(await transactions()).toBe(2);
  } finally {
    await sql`DROP FUNCTION always_faster CASCADE`.execute(fixture.db);
  }
});

/** Runs `work` while a trigger does something to each row that is inserted. */
async function withTrigger(statement: string, work: () => Promise<void>): Promise<void> {
  await sql`CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql AS ${sql.lit(
    `BEGIN ${statement} RETURN NEW; END`,
  )}`.execute(fixture.db);
  await sql`CREATE TRIGGER on_insert BEFORE INSERT ON documents
    FOR EACH ROW EXECUTE FUNCTION on_insert()`.execute(fixture.db);
  try {
    await work();
  } finally {
    await sql`DROP FUNCTION on_insert CASCADE`.execute(fixture.db);
  }
}

test.each([
  ['in its own words', "RAISE 'not this one';", { code: 'invalid-request' }],
  ['with a SQLSTATE of its own', "RAISE 'not now' USING ERRCODE = 'MY001';", { code: 'MY001' }],
])('one that a trigger refuses %s does not keep the others from it', async (_, raise, reason) => {
  await withTrigger(`IF NEW.key = 'poison' THEN ${raise} END IF;`, async () => {
    const answers = await Promise.allSettled(['a', 'poison', 'b'].map((key) => commit(put(key, 4, '1'))));
    expect(answers).toMatchObject([{ value: created }, { status: 'rejected', reason }, { value: created }]);
    expect([await storedValue('a'), await storedValue('poison')]).toEqual(['1', undefined]);
  });
});

test('where PostgreSQL is lost before the commit is sent, it is certain that none of them happened', async () => {
  await withTrigger(
    "IF NEW.key = 'last' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;",
    async () => {
      const answers = await Promise.allSettled(['a', 'last'].map((key) => commit(put(key, 4, '1'))));
      const reasons = answers.map((one) => (one.status === 'rejected' ? one.reason : one));
      expect(reasons.map((reason) => [didNotHappen(reason), isUnreachable(reason)])).toEqual([
        [true, true],
        [true, true],
      ]);
      expect(reasons.map(describeError)).toEqual(Array(2).fill(expect.stringContaining('57P01')));
      expect(await storedValue('a')).toBeUndefined();
    },
  );
});

test('while PostgreSQL does not answer, none of them is said to be committed', async () => {
  const broken = createSharedCommits(fixture.open({ timeoutMs: 200 }), 200);
  const release = await holding(fixture.open(), sql`LOCK TABLE pruning IN ACCESS EXCLUSIVE MODE`);
  const write = (key: string) =>
    broken({ mutation: put(key, 4, '1'), partition: 0, notAfterMicros: (Date.now() + 60_000) * 1_000 });
  const answers = await Promise.allSettled([write('a'), write('b')]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await release();
  expect([await storedValue('a'), await storedValue('b')]).toEqual([undefined, undefined]);
});
