import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeRecords } from '../../domain/idempotency.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { commitEntry, commitIncrement } from '../../storage/postgres/commit-entry.ts';
import { commitTogether } from '../../storage/postgres/commit-together.ts';
import { listDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { discardMutations } from '../../storage/postgres/discard.ts';
import { findRecord, removeOldRecords } from '../../storage/postgres/idempotency-records.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import {
  batchOf,
  count,
  type Fixture,
  holding,
  migratedDatabase,
  put,
  waitingForLocks,
} from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters, idempotency_records`.execute(fixture.db);
});

const soon = () => (Date.now() + 60_000) * 1_000;
const idempotency = (key: string, fingerprint = 'f') => ({ key, fingerprint });

/** The mutation with the record of a write that made it. */
function keyed(mutation: Mutation, ...keys: string[]): Mutation {
  const { version, kind, value } = mutation;
  const result = kind === 'counter' ? (value ?? '') : '';
  return {
    ...mutation,
    records: encodeRecords(keys.map((key) => ({ key, fingerprint: 'f', version, value: result }))),
  };
}

function increment(key: string, version: number, once: string, notAfterMicros = soon()) {
  return commitIncrement(fixture.db, {
    ref: { collection: 'views', key },
    version,
    by: 1,
    partition: 0,
    notAfterMicros,
    idempotency: idempotency(once),
  });
}

test('a batch records its writes with its rows, once, in whatever batch they come', async () => {
  const [a, c] = [keyed(put('a', 10, '1'), 'k1'), keyed(count('c', 12, '7'), 'k2', 'k3')];
  await persistBatch(fixture.db, batchOf([a, c]));
  await persistBatch(fixture.db, batchOf([keyed(put('a', 14, '2'), 'k1', 'k4')]));
  expect(await findRecord(fixture.db, 'k1')).toEqual({
    key: 'k1',
    fingerprint: 'f',
    version: 10,
    value: null,
    created: null,
  });
  expect(await findRecord(fixture.db, 'k3')).toMatchObject({ version: 12, value: 7 });
  expect(await findRecord(fixture.db, 'k4')).toMatchObject({ version: 14 });
  expect(await findRecord(fixture.db, 'never')).toBeUndefined();
});

test('a record is committed also where its mutation lost to a newer version', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 20, '"new"')]));
  await persistBatch(fixture.db, batchOf([keyed(put('a', 10, '"old"'), 'k1')]));
  expect(await readEntry(fixture.db, 'document', { collection: 'carts', key: 'a' })).toMatchObject({
    version: 20,
  });
  expect(await findRecord(fixture.db, 'k1')).toMatchObject({ version: 10 });
});

test('what was set aside did not happen, so it leaves no record, and its batch leaves the others', async () => {
  const bad = keyed(put('bad', 10, '{"broken'), 'k1');
  await persistBatch(fixture.db, batchOf([bad, keyed(put('good', 12, '1'), 'k2')]));
  expect(await findRecord(fixture.db, 'k1')).toBeUndefined();
  expect(await findRecord(fixture.db, 'k2')).toMatchObject({ version: 12 });
  // Once listed, it is skipped in every batch.
  await persistBatch(fixture.db, batchOf([bad]));
  expect(await findRecord(fixture.db, 'k1')).toBeUndefined();
});

/** The mutation with records of writes, each named and with its version: its own, and earlier ones that only other batches hold. */
function carrying(mutation: Mutation, versions: Readonly<Record<string, number>>): Mutation {
  const value = mutation.kind === 'counter' ? '1' : '';
  const records = Object.entries(versions).map(([key, version]) => ({
    key,
    fingerprint: 'f',
    version,
    value,
  }));
  return { ...mutation, records: encodeRecords(records) };
}

const BROKEN = '{"broken';
const remembered = async () => {
  const { rows } = await sql<{ key: string }>`SELECT key FROM idempotency_records ORDER BY key`.execute(
    fixture.db,
  );
  return rows.map(({ key }) => key);
};

test('the record of a document that was set aside does not come with a later write', async () => {
  // k0 is in its row. k1 was replaced by k2 in their batch, and set aside with it.
  const persisted = batchOf([carrying(put('a', 10, '0'), { k0: 10 })]);
  const refused = batchOf([carrying(put('a', 14, BROKEN), { k0: 10, k1: 12, k2: 14 })]);
  const later = batchOf([carrying(put('a', 16, '3'), { k0: 10, k1: 12, k2: 14, k3: 16 })]);
  for (const batch of [persisted, refused, later, refused, later]) await persistBatch(fixture.db, batch);
  expect(await remembered()).toEqual(['k0', 'k3']);
});

test('the record of a document that was discarded does not come with a later write', async () => {
  const discarded = carrying(put('a', 10, '1'), { k1: 10 });
  await discardMutations(fixture.db, {
    partition: 0,
    batchId: 'any',
    mutations: [discarded],
    reason: 'test',
    by: 'test',
    lockTimeoutMs: 5_000,
  });
  await persistBatch(fixture.db, batchOf([carrying(put('a', 12, '2'), { k1: 10, k2: 12 })]));
  expect(await remembered()).toEqual(['k2']);
});

test('of a counter it does: the later value contains the increment', async () => {
  const refused = carrying(count('c', 10, 'no number'), { k1: 10 });
  await persistBatch(fixture.db, batchOf([refused]));
  await persistBatch(fixture.db, batchOf([carrying(count('c', 12, '2'), { k1: 10, k2: 12 })]));
  expect(await remembered()).toEqual(['k1', 'k2']);
});

test('where the later write came first, nothing is missing of the earlier one, and both are remembered', async () => {
  await persistBatch(fixture.db, batchOf([carrying(put('a', 12, '2'), { k1: 10, k2: 12 })]));
  const outcome = await persistBatch(fixture.db, batchOf([carrying(put('a', 10, BROKEN), { k1: 10 })]));
  expect(outcome).toEqual({ outcome: 'persisted', setAside: [] });
  expect(await remembered()).toEqual(['k1', 'k2']);
});

test.each(['refused', 'later'])(
  'nor where both are persisted at the same time, and the %s one commits last',
  async (last) => {
    const batches = {
      refused: batchOf([carrying(put('a', 10, BROKEN), { k1: 10 })]),
      later: batchOf([carrying(put('a', 12, '2'), { k1: 10, k2: 12 })]),
    };
    const first = last === 'refused' ? batches.later : batches.refused;
    // Before either commits, both have written what they can and looked for dead letters.
    const release = await holding(
      fixture.open(),
      sql`SELECT FROM partition_clocks WHERE partition = 0 FOR UPDATE`,
    );
    const one = persistBatch(fixture.db, first);
    await waitingForLocks(fixture.db, 1);
    const other = persistBatch(fixture.db, batches[last as keyof typeof batches]);
    await waitingForLocks(fixture.db, 2);
    await release();
    await Promise.all([one, other]);
    expect((await listDeadLetters(fixture.db, { after: 0, limit: 10 })).map(({ key }) => key)).toEqual(['a']);
    expect(await remembered()).toEqual(['k2']);
  },
);

test('a batch that the fence refuses leaves no record', async () => {
  const ended = batchOf([keyed(put('a', 10, '1'), 'k1')], '0-ended');
  expect(await persistBatch(fixture.db, ended)).toEqual({ outcome: 'refused' });
  expect(await findRecord(fixture.db, 'k1')).toBeUndefined();
});

test('a write-through with a key happens once, and its repetition learns what the first one did', async () => {
  expect(await increment('c', 10, 'k1')).toEqual({ outcome: 'committed', created: true, value: 1 });
  expect(await increment('c', 12, 'k2')).toEqual({ outcome: 'committed', created: false, value: 2 });
  expect(await increment('c', 14, 'k1')).toEqual({
    outcome: 'repeated',
    record: { key: 'k1', fingerprint: 'f', version: 10, value: 1, created: true },
  });
  // Told even where it comes too late to be written.
  expect(await increment('c', 14, 'k1', (Date.now() - 1_000) * 1_000)).toMatchObject({ outcome: 'repeated' });
  expect(await readEntry(fixture.db, 'counter', { collection: 'views', key: 'c' })).toMatchObject({
    value: '2',
  });
});

test('a put with a key: the record comes before the condition that its first execution made untrue', async () => {
  const once = (version: number) =>
    commitEntry(fixture.db, {
      mutation: put('a', version, '1'),
      partition: 0,
      notAfterMicros: soon(),
      condition: { ifAbsent: true },
      idempotency: idempotency('k1'),
    });
  expect(await once(10)).toEqual({ outcome: 'committed', created: true });
  expect(await once(12)).toMatchObject({ outcome: 'repeated', record: { version: 10, created: true } });
});

test('a write that is refused or too late leaves no record and may be tried again', async () => {
  await fixture.db.deleteFrom('counters').execute();
  expect(await increment('c', 10, 'k1', (Date.now() - 1_000) * 1_000)).toEqual({ outcome: 'too-late' });
  await increment('c', 20, 'other');
  expect(await increment('c', 10, 'k1')).toMatchObject({ outcome: 'superseded' });
  expect(await findRecord(fixture.db, 'k1')).toBeUndefined();
  expect(await increment('c', 22, 'k1')).toMatchObject({ outcome: 'committed', value: 2 });
});

/** Two commits with one key at once: both wait for the row before either is let go on. */
async function twoAtOnce<T>(table: 'documents' | 'counters', one: (version: number) => Promise<T>) {
  const release = await holding(fixture.open(), sql`SELECT FROM ${sql.table(table)} FOR UPDATE`);
  const first = one(10);
  await waitingForLocks(fixture.db, 1);
  const second = one(12);
  await waitingForLocks(fixture.db, 2);
  await release();
  return await Promise.all([first, second]);
}

test('of two puts at once with one key and one If-Match, one happens and the other is its repetition', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 2, '0')]));
  const answers = await twoAtOnce('documents', (version) =>
    commitEntry(fixture.db, {
      mutation: put('a', version, '1'),
      partition: 0,
      notAfterMicros: soon(),
      condition: { ifVersion: 2 },
      idempotency: idempotency('k1'),
    }),
  );
  expect(answers).toMatchObject([
    { outcome: 'committed', created: false },
    { outcome: 'repeated', record: { key: 'k1', version: 10 } },
  ]);
});

test('of two increments at once with one key, the last that there is room for, neither overflows', async () => {
  await persistBatch(fixture.db, batchOf([count('c', 2, String(Number.MAX_SAFE_INTEGER - 1))]));
  const answers = await twoAtOnce('counters', (version) => increment('c', version, 'k1'));
  const value = Number.MAX_SAFE_INTEGER;
  expect(answers).toMatchObject([
    { outcome: 'committed', value },
    { outcome: 'repeated', record: { key: 'k1', version: 10, value } },
  ]);
  expect(await increment('c', 14, 'k2')).toEqual({ outcome: 'overflow' });
});

test('of two increments at once with one key, the last that a constraint allows, neither is refused', async () => {
  await persistBatch(fixture.db, batchOf([count('c', 2, '9')]));
  await sql`ALTER TABLE counters ADD CONSTRAINT ten CHECK (value <= 10)`.execute(fixture.db);
  try {
    const answers = await twoAtOnce('counters', (version) => increment('c', version, 'k1'));
    expect(answers).toMatchObject([
      { outcome: 'committed', value: 10 },
      { outcome: 'repeated', record: { version: 10, value: 10 } },
    ]);
    await expect(increment('c', 14, 'k2')).rejects.toMatchObject({ code: 'invalid-request' });
  } finally {
    await sql`ALTER TABLE counters DROP CONSTRAINT ten`.execute(fixture.db);
  }
});

test('a repetition that waited for the first one until its deadline is told what that did', async () => {
  await persistBatch(fixture.db, batchOf([put('a', 2, '0')]));
  let deadline = soon();
  const answers = await twoAtOnce('documents', (version) => {
    const notAfterMicros = deadline;
    // The second one comes when the first one waits.
    deadline = 1;
    return commitEntry(fixture.db, {
      mutation: put('a', version, '1'),
      partition: 0,
      notAfterMicros,
      idempotency: idempotency('k1'),
    });
  });
  expect(answers).toMatchObject([{ outcome: 'committed' }, { outcome: 'repeated', record: { version: 10 } }]);
});

test.each([1, 2])('many at once with one key count once, whether the row is there (%i)', async (round) => {
  if (round === 2) await increment('c', 2, 'before');
  const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => increment('c', 10 + 2 * i, 'k1')));
  const committed = outcomes.filter(({ outcome }) => outcome === 'committed');
  const repeated = outcomes.filter(({ outcome }) => outcome === 'repeated');
  const superseded = outcomes.filter(({ outcome }) => outcome === 'superseded');
  expect(committed).toHaveLength(1);
  expect(repeated.length + superseded.length).toBe(7);
  expect(await readEntry(fixture.db, 'counter', { collection: 'views', key: 'c' })).toMatchObject({
    value: String(round),
  });
});

/** Two increments in one transaction, each with a record of its own. */
function together(version: number, keys: readonly string[] = ['k1', 'k2']) {
  return commitTogether(fixture.db, {
    writes: keys.map((key, i) => ({
      collection: 'views',
      key: `t${i}`,
      kind: 'counter' as const,
      version: version + 2 * i,
      partition: 0,
      by: 1,
      idempotency: idempotency(key),
    })),
    notAfterMicros: soon(),
    waitUntil: performance.now() + 10_000,
  });
}

test('writes that commit together are remembered together, and their repetition is answered for each', async () => {
  expect(await together(10)).toMatchObject({ outcome: 'committed' });
  expect(await together(20)).toMatchObject({
    outcome: 'repeated',
    records: [
      { key: 'k1', version: 10, value: 1, created: true },
      { key: 'k2', version: 12, value: 1, created: true },
    ],
  });
  await expect(together(20, ['k1', 'k3'])).rejects.toMatchObject({ code: 'idempotency-key-reused' });
  expect(await findRecord(fixture.db, 'k3')).toBeUndefined();
});

test('the same writes together, many times at once, happen once', async () => {
  const outcomes = await Promise.all(Array.from({ length: 6 }, (_, i) => together(10 + 10 * i)));
  expect(outcomes.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1);
  const others = outcomes.filter(({ outcome }) => outcome !== 'committed');
  expect(others.every(({ outcome }) => ['repeated', 'superseded'].includes(outcome))).toBe(true);
  for (const key of ['t0', 't1']) {
    expect(await readEntry(fixture.db, 'counter', { collection: 'views', key })).toMatchObject({
      value: '1',
    });
  }
});

test('old records are removed page by page, young ones stay', async () => {
  await persistBatch(
    fixture.db,
    batchOf(Array.from({ length: 25 }, (_, i) => keyed(put(`p${i}`, 10, '1'), `k${i}`))),
  );
  await sql`UPDATE idempotency_records SET recorded_at = now() - interval '1 hour' WHERE key <> 'k7'`.execute(
    fixture.db,
  );
  expect(await removeOldRecords(fixture.db, 7_200_000)).toBe(0);
  expect(await removeOldRecords(fixture.db, 1_800_000, { pageSize: 10 })).toBe(24);
  expect(await findRecord(fixture.db, 'k7')).toBeDefined();
});
