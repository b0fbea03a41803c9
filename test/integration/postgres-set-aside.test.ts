import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { entryId } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { deadLettersOf, listDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { retryDeadLetter } from '../../storage/postgres/retry-dead-letter.ts';
import { batchOf, count, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters, refused_batches`.execute(fixture.db);
});

async function rowCount(table: 'documents' | 'counters' | 'dead_letters'): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.table(table)}`.execute(
    fixture.db,
  );
  return rows[0]!.n;
}

/** Each with the SQLSTATE it is refused with. The text "secret" stands for a user's value. */
const POISON: [Mutation, string][] = [
  [put('p-nul', 2, '"secret\\u0000"'), '22P05'],
  [put('p-surrogate', 2, '"secret\\ud800"'), '22P02'],
  [put('p-no-json', 2, '{"secret": nope}'), '22P02'],
  [put('p-raw-nul', 2, '"secret\0"'), '22021'],
  [put('p-number', 2, '[1e200000]'), '22003'],
  [put('p-deep', 2, '['.repeat(100_000)), '54001'],
  [count('p-beyond-int8', 2, '9223372036854775808'), '22003'],
  [count('p-not-exact', 2, '9007199254740992'), '23514'],
  [count('p-no-number', 2, 'secret'), '22P02'],
];

test('several poisoned mutations among a thousand good ones are set aside, the others commit', async () => {
  const good = Array.from({ length: 1_000 }, (_, i) =>
    i % 4 ? put(`k${i}`, 2, `{"i": ${i}}`) : count(`k${i}`, 2, `${i}`),
  );
  const mixed = [...good];
  for (const [i, [mutation]] of POISON.entries()) mixed.splice(i * 97, 0, mutation);
  const batch = batchOf(mixed);
  const outcome = await persistBatch(fixture.db, batch);
  if (outcome.outcome !== 'persisted') throw new Error(outcome.outcome);
  expect(Object.fromEntries(outcome.setAside.map((s) => [s.key, s.sqlstate]))).toEqual(
    Object.fromEntries(POISON.map(([m, state]) => [m.key, state])),
  );
  expect(await rowCount('documents')).toBe(750);
  expect(await rowCount('counters')).toBe(250);

  const letters = await listDeadLetters(fixture.db, { after: 0, limit: 100 });
  expect(letters).toHaveLength(POISON.length);
  expect(outcome.setAside.every(({ fresh }) => fresh === true)).toBe(true);
  const recorded = outcome.setAside.map(({ fresh: _, ...rest }) => expect.objectContaining(rest));
  expect(letters).toEqual(expect.arrayContaining(recorded));
  expect((await deadLettersOf(fixture.db, batch.id, [])).map(entryId).sort()).toEqual(
    outcome.setAside.map(entryId).sort(),
  );
});

/** The database, and how many statements it was asked for. */
function counting() {
  const asked = { statements: 0 };
  const db = fixture.db.withPlugin({
    transformQuery({ node }) {
      asked.statements += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  return { db, asked };
}

test.each([
  ['none of them', () => false, 11],
  ['one of them', (i: number) => i === 1_234, 100],
  ['every seventh', (i: number) => i % 7 === 3, 700],
  ['all of them', () => true, 700],
])('a batch of 4,000 needs few round trips to PostgreSQL, where it refuses %s', async (_, isPoison, few) => {
  const { db, asked } = counting();
  const mutations = Array.from({ length: 4_000 }, (_, i) => {
    if (i % 2) return count(`k${i}`, 2, isPoison(i) ? '9007199254740992' : '1');
    return put(`k${i}`, 2, isPoison(i) ? '"\\u0000"' : '1');
  });
  const poison = mutations.filter((_, i) => isPoison(i));
  const outcome = await persistBatch(db, batchOf(mutations));
  expect(asked.statements).toBeLessThan(few);
  const setAside = outcome.outcome === 'persisted' ? outcome.setAside : [];
  const reasonOf = ({ kind }: Mutation) => (kind === 'document' ? '22P05' : '23514');
  expect(setAside.map((s) => `${s.key} ${s.sqlstate}`).sort()).toEqual(
    poison.map((m) => `${m.key} ${reasonOf(m)}`).sort(),
  );
  expect(await rowCount('dead_letters')).toBe(poison.length);
  expect((await rowCount('documents')) + (await rowCount('counters'))).toBe(4_000 - poison.length);
});

test('what a trigger refuses by a plain RAISE EXCEPTION is set aside like any other poison', async () => {
  await sql`CREATE FUNCTION no_poison() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.value = '"poison"' THEN RAISE EXCEPTION 'not this'; END IF; RETURN NEW; END $$`.execute(
    fixture.db,
  );
  await sql`CREATE TRIGGER no_poison BEFORE INSERT OR UPDATE ON documents
    FOR EACH ROW EXECUTE FUNCTION no_poison()`.execute(fixture.db);
  try {
    const { db, asked } = counting();
    const mutations = Array.from({ length: 4_000 }, (_, i) =>
      put(`k${i}`, 2, i % 7 === 3 ? '"poison"' : '1'),
    );
    const outcome = await persistBatch(db, batchOf(mutations));
    expect(asked.statements).toBeLessThan(700);
    const setAside = outcome.outcome === 'persisted' ? outcome.setAside : [];
    const poison = mutations.filter((_, i) => i % 7 === 3);
    expect(setAside.map((s) => `${s.key} ${s.sqlstate} ${s.message}`).sort()).toEqual(
      poison.map(({ key }) => `${key} P0001 not this`).sort(),
    );
    expect(await rowCount('documents')).toBe(4_000 - poison.length);
    const [letter] = await listDeadLetters(fixture.db, { after: 0, limit: 1 });
    const retry = { id: letter?.id ?? 0, by: 'test', partition: 0, lockTimeoutMs: 5_000 };
    expect(
      await retryDeadLetter(fixture.db, { ...retry, notAfterMicros: (Date.now() + 60_000) * 1_000 }),
    ).toMatchObject({ outcome: 'refused', sqlstate: 'P0001' });
  } finally {
    await sql`DROP FUNCTION no_poison CASCADE`.execute(fixture.db);
  }
});

test('what was refused in a crowd has the reason that it has alone', async () => {
  const reasons = async (mutations: readonly Mutation[]) => {
    const outcome = await persistBatch(fixture.db, batchOf(mutations));
    const setAside = outcome.outcome === 'persisted' ? outcome.setAside : [];
    return setAside.map(({ key, sqlstate, message }) => [key, sqlstate, message]);
  };
  const crowd = POISON.map(([m]) => m).filter(({ key }) => key !== 'p-raw-nul');
  const alone = (await Promise.all(crowd.map((m) => reasons([{ ...m, version: 1 }])))).flat();
  expect(alone).toHaveLength(crowd.length);
  expect((await reasons(crowd)).sort()).toEqual(alone.sort());
});

test('a dead letter keeps the value as it was sent, and its reason never quotes it', async () => {
  await persistBatch(fixture.db, batchOf(POISON.map(([m]) => m)));
  const { rows } = await sql<{ key: string; value: string; kind: string; message: string }>`
    SELECT key, value, kind, message FROM dead_letters`.execute(fixture.db);
  expect(rows).toHaveLength(POISON.length);
  for (const [mutation] of POISON) {
    const row = rows.find((r) => r.key === mutation.key)!;
    expect(row.value).toBe(mutation.value?.replace('\0', '\\u0000'));
    expect(row.kind).toBe(mutation.kind);
    expect(row.message).not.toBe('');
    expect(row.message).not.toMatch(/secret|nope|9223372036854775808|9007199254740992|200000/);
  }
});

test('a batch with a dead letter gives the same result when it is delivered again', async () => {
  const batch = batchOf([put('a', 2, '1'), put('bad', 2, '"\\u0000"'), count('x', 2, '1e3')]);
  const first = await persistBatch(fixture.db, batch);
  const again = await Promise.all([persistBatch(fixture.db, batch), persistBatch(fixture.db, batch)]);
  for (const outcome of [first, ...again]) {
    expect(outcome).toMatchObject({ outcome: 'persisted' });
    const keys = outcome.outcome === 'persisted' ? outcome.setAside.map((s) => s.key) : [];
    expect(keys.sort()).toEqual(['bad', 'x']);
  }
  expect(await rowCount('dead_letters')).toBe(2);
});

test('parallel deliveries of one poisoned batch both succeed', async () => {
  const batch = batchOf([
    ...Array.from({ length: 50 }, (_, i) => put(`k${i}`, 2, i % 7 ? '1' : '"\\u0000"')),
    ...Array.from({ length: 50 }, (_, i) => count(`k${i}`, 2, i % 7 ? '1' : 'x')),
  ]);
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => persistBatch(fixture.db, batch)));
  for (const o of outcomes) expect(o.outcome === 'persisted' && o.setAside.length).toBe(16);
  expect(await rowCount('dead_letters')).toBe(16);
});

test('a listed mutation is skipped in any batch, a newer one of the same entry is not', async () => {
  const { db } = fixture;
  await sql`INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, sqlstate, message)
    VALUES ('carts', 'a', 0, 'other', 2, 'document', '1', 'HF000', 'discarded by an operator')`.execute(db);
  const listed = {
    collection: 'carts',
    key: 'a',
    version: 2,
    sqlstate: 'HF000',
    message: 'discarded by an operator',
  };
  expect(await persistBatch(db, batchOf([put('a', 2, '1'), put('b', 2, '1')]))).toEqual({
    outcome: 'persisted',
    setAside: [listed],
  });
  expect(await rowCount('documents')).toBe(1);
  expect(await persistBatch(db, batchOf([put('a', 4, '2')]))).toEqual({ outcome: 'persisted', setAside: [] });
  expect(await rowCount('documents')).toBe(2);
});

test('what is in its row, or superseded there, is not set aside when PostgreSQL begins to refuse it', async () => {
  const { db } = fixture;
  const batch = batchOf([put('a', 2, '1'), put('b', 2, '1'), count('x', 2, '1')]);
  await persistBatch(db, batch);
  await persistBatch(db, batchOf([put('b', 4, '"good"')]));
  await sql`ALTER TABLE documents ADD CONSTRAINT no_more CHECK (value <> '1') NOT VALID`.execute(db);
  try {
    expect(await persistBatch(db, batch)).toEqual({ outcome: 'persisted', setAside: [] });
    expect(await persistBatch(db, batchOf([put('a', 4, '1')]))).toMatchObject({ setAside: [{ key: 'a' }] });
  } finally {
    await sql`ALTER TABLE documents DROP CONSTRAINT no_more`.execute(db);
  }
  expect(await rowCount('dead_letters')).toBe(1);
});

test('an error that is about no single mutation is thrown, and nothing is set aside', async () => {
  const { db } = fixture;
  await sql`ALTER TABLE documents RENAME TO documents_away`.execute(db);
  try {
    await expect(persistBatch(db, batchOf([put('a', 2, '1')]))).rejects.toMatchObject({ code: '42P01' });
  } finally {
    await sql`ALTER TABLE documents_away RENAME TO documents`.execute(db);
  }
  expect(await rowCount('dead_letters')).toBe(0);
});
