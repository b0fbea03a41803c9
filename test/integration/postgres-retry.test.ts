import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Mutation } from '../../domain/mutation.ts';
import { deadLettersOf, discardDeadLetter, listDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { discardMutations } from '../../storage/postgres/discard.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { type DeadLetterRetry, retryDeadLetter } from '../../storage/postgres/retry-dead-letter.ts';
import { batchOf, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  await sql`TRUNCATE documents, counters, dead_letters, refused_batches`.execute(fixture.db);
  await sql`UPDATE pruning SET floor = 0`.execute(fixture.db);
  await mend();
});

const POISON = put('bad', 10, '{"poison": true}');
const decision = { reason: 'no use', by: 'tester' };

/** From now on PostgreSQL refuses documents that say so. */
async function refusePoison(validity: '' | 'NOT VALID' = ''): Promise<void> {
  await sql`ALTER TABLE documents ADD CONSTRAINT poison CHECK (NOT value ? 'poison') ${sql.raw(validity)}`.execute(
    fixture.db,
  );
}
async function mend(): Promise<void> {
  await sql`ALTER TABLE documents DROP CONSTRAINT IF EXISTS poison`.execute(fixture.db);
}

const letters = () => listDeadLetters(fixture.db, { after: 0, limit: 100 });
const rowOf = (key: string) => readEntry(fixture.db, 'document', { collection: 'carts', key });

/** The id of the dead letter that persisting the mutation leaves. */
async function deadLetter(mutation: Mutation = POISON): Promise<number> {
  await refusePoison();
  await persistBatch(fixture.db, batchOf([mutation]));
  return (await letters()).at(-1)!.id;
}

function retry(id: number, more: Partial<DeadLetterRetry> = {}) {
  const notAfterMicros = (Date.now() + 60_000) * 1_000;
  return retryDeadLetter(fixture.db, {
    id,
    by: 'a test',
    partition: 0,
    notAfterMicros,
    lockTimeoutMs: 20_000,
    ...more,
  });
}

describe('the retry of a dead letter', () => {
  test('writes it into its row at its own version, and removes the record', async () => {
    const id = await deadLetter();
    await mend();
    expect(await retry(id)).toEqual({ outcome: 'persisted' });
    expect(await rowOf('bad')).toMatchObject({ version: 10, value: '{"poison": true}' });
    expect(await letters()).toEqual([]);
    expect(await retry(id)).toEqual({ outcome: 'not-dead' });
  });

  test('leaves a newer row as it is', async () => {
    const id = await deadLetter();
    await persistBatch(fixture.db, batchOf([put('bad', 12, '"newer"')]));
    await mend();
    expect(await retry(id)).toEqual({ outcome: 'persisted' });
    expect(await rowOf('bad')).toMatchObject({ version: 12, value: '"newer"' });
    expect(await letters()).toEqual([]);
  });

  test('makes a row below the prune floor: its entry kept its tombstone until now', async () => {
    const id = await deadLetter();
    await mend();
    await sql`UPDATE pruning SET floor = 1000`.execute(fixture.db);
    expect(await retry(id)).toEqual({ outcome: 'persisted' });
    expect(await rowOf('bad')).toMatchObject({ version: 10 });
  });

  test('that PostgreSQL refuses again keeps the record, with what it said now', async () => {
    const id = await deadLetter();
    await mend();
    await sql`ALTER TABLE documents ADD CONSTRAINT another CHECK (NOT value ? 'poison')`.execute(fixture.db);
    try {
      const said = { sqlstate: '23514', message: expect.stringContaining('"another"') };
      expect(await retry(id)).toEqual({ outcome: 'refused', ...said });
      expect(await letters()).toEqual([expect.objectContaining({ id, state: 'dead', key: 'bad', ...said })]);
      expect(await rowOf('bad')).toBeUndefined();
    } finally {
      await sql`ALTER TABLE documents DROP CONSTRAINT another`.execute(fixture.db);
    }
  });

  test('is refused for what was discarded, by hand or as a dead letter', async () => {
    const id = await deadLetter();
    await mend();
    expect(await discardDeadLetter(fixture.db, id, decision)).toBe(true);
    expect(await discardDeadLetter(fixture.db, id, decision)).toBe(false);
    expect(await letters()).toEqual([
      expect.objectContaining({
        id,
        state: 'discarded',
        reason: 'no use',
        decidedBy: 'tester',
        sqlstate: '23514',
      }),
    ]);
    expect(await retry(id)).toEqual({ outcome: 'not-dead' });
    expect(await letters()).toHaveLength(1);
    expect(await rowOf('bad')).toBeUndefined();
  });

  test('looks at its deadline last: nothing that may take long comes between that and the commit', async () => {
    const id = await deadLetter();
    await mend();
    const others = fixture.open({ poolSize: 1 });
    let retried: ReturnType<typeof retry> | undefined;
    await others.transaction().execute(async (trx) => {
      // Nobody can note what operators do meanwhile.
      await sql`LOCK TABLE operator_actions IN SHARE MODE`.execute(trx);
      const deadline = Date.now() + 500;
      retried = retry(id, { notAfterMicros: deadline * 1_000 });
      await sql`SELECT pg_sleep(1)`.execute(trx);
    });
    expect(await retried).toEqual({ outcome: 'too-late' });
    expect(await letters()).toHaveLength(1);
    expect(await rowOf('bad')).toBeUndefined();
  });

  test('writes nothing once its deadline has passed', async () => {
    const id = await deadLetter();
    await mend();
    expect(await retry(id, { notAfterMicros: (Date.now() - 1_000) * 1_000 })).toEqual({
      outcome: 'too-late',
    });
    expect(await rowOf('bad')).toBeUndefined();
    expect(await letters()).toHaveLength(1);
  });
});

test('dead letters are listed in pages, oldest first, with the beginning of long values', async () => {
  const long = JSON.stringify({ poison: 'x'.repeat(5_000) });
  await refusePoison();
  for (const [i, value] of ['{"poison": 1}', long, '{"poison": 3}'].entries()) {
    await persistBatch(fixture.db, batchOf([put(`bad${i}`, 10, value)]));
  }
  const first = await listDeadLetters(fixture.db, { after: 0, limit: 2 });
  expect(first.map(({ key }) => key)).toEqual(['bad0', 'bad1']);
  expect(first[1]).toMatchObject({ value: long.slice(0, 1_000), valueLength: long.length });
  const rest = await listDeadLetters(fixture.db, { after: first[1]!.id, limit: 2 });
  expect(rest.map(({ key }) => key)).toEqual(['bad2']);
});

describe('the dead letters that concern who waits for a batch', () => {
  const write = (version: number) => ({ collection: 'carts', key: 'bad', version });

  test('are those under its id, and those of its mutations under the id of another batch', async () => {
    await refusePoison();
    const batch = batchOf([POISON]);
    await persistBatch(fixture.db, batchOf(batch.mutations));
    // A write that was replaced by the mutation in the batch shares its fate.
    for (const version of [6, 10]) {
      expect(await deadLettersOf(fixture.db, batch.id, [write(version)])).toEqual([
        { collection: 'carts', key: 'bad' },
      ]);
    }
    expect(await deadLettersOf(fixture.db, batch.id, [])).toEqual([]);
  });

  test('are not those of a later write of the entry, nor of an earlier one', async () => {
    await refusePoison();
    const batch = batchOf([put('bad', 6, '1')]);
    for (const one of [batchOf([{ ...POISON, version: 4 }]), batch, batchOf([POISON])]) {
      await persistBatch(fixture.db, one);
    }
    expect(await letters()).toHaveLength(2);
    expect(await deadLettersOf(fixture.db, batch.id, [write(6)])).toEqual([]);
  });

  test('include discards, and not what was retried since', async () => {
    const batch = batchOf([put('bad', 6, '1')]);
    const { id: batchId, mutations } = batchOf(batch.mutations);
    const shared = { partition: 0, lockTimeoutMs: 20_000, ...decision };
    await discardMutations(fixture.db, { ...shared, batchId, mutations });
    expect(await deadLettersOf(fixture.db, batch.id, [write(6)])).toHaveLength(1);
    const id = await deadLetter();
    await mend();
    await retry(id);
    expect(await deadLettersOf(fixture.db, 'none', [write(10)])).toEqual([]);
  });
});

describe('however persisting, discarding and retrying meet', () => {
  type Work = 'persist' | 'persist elsewhere' | 'discard' | 'retry';
  const work = fc.constantFrom<Work[]>('persist', 'persist elsewhere', 'discard', 'retry');
  // Whether PostgreSQL refuses the write changes between groups of steps that run side by side, not within one: two
  // batches must agree on what is refused.
  const group = fc.record({ refusing: fc.boolean(), steps: fc.array(work, { minLength: 1, maxLength: 4 }) });
  const plan = fc.array(group, { minLength: 1, maxLength: 5 });

  test('a write is in its row or listed, never both, and a discard is final', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(plan, async (groups) => {
        round += 1;
        const x = put(`x${round}`, 10, '{"poison": true}');
        const batch = batchOf([x, put(`y${round}`, 10, '1')]);
        let discarded = false;
        const run: Record<Work, () => Promise<unknown>> = {
          persist: () => persistBatch(fixture.db, batch),
          'persist elsewhere': () => persistBatch(fixture.db, batchOf(batch.mutations)),
          async discard() {
            const shared = { partition: 0, lockTimeoutMs: 20_000, ...decision };
            const [one] = await discardMutations(fixture.db, {
              ...shared,
              batchId: batch.id,
              mutations: [x],
            });
            if (one?.outcome === 'discarded') discarded = true;
          },
          async retry() {
            const letter = (await letters()).find(({ key }) => key === x.key);
            if (letter !== undefined) await retry(letter.id);
          },
        };
        for (const { refusing, steps } of groups) {
          await mend();
          if (refusing) await refusePoison('NOT VALID');
          await Promise.all(steps.map((step) => run[step]()));
          const inRow = (await rowOf(x.key)) !== undefined;
          const isListed = (await letters()).some(({ key }) => key === x.key);
          expect({ both: inRow && isListed, back: discarded && !isListed }).toEqual({
            both: false,
            back: false,
          });
        }
        await persistBatch(fixture.db, batch);
        expect(await rowOf(`y${round}`)).toMatchObject({ version: 10 });
      }),
      { numRuns: 60 },
    );
  });
});
