import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { numberArray, textArray } from '../../storage/postgres/array-literal.ts';
import { unnestEntries } from '../../storage/postgres/unnest.ts';
import { byPrimaryKey } from '../../storage/postgres/upsert-mutations.ts';
import { type Fixture, migratedDatabase } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture?.close());

/** PostgreSQL has no text with U+0000. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', ',', ' ', '\n', '\t', 'a', 'N', '\ufffd', '😀') }),
    fc.constantFrom('NULL', 'null', '', '{"a":"\\"b\\\\"}', '\u2028', '\u007f'),
  )
  .map((value) => value.replaceAll('\0', '·').toWellFormed());

test('texts come back as they were, and null as null', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text)), async (values) => {
      const { rows } = await sql<{ list: unknown[] }>`SELECT ${textArray(values)}::text[] AS list`.execute(
        fixture.db,
      );
      expect(rows[0]?.list).toEqual(values);
    }),
    { numRuns: 500 },
  );
});

test('numbers come back as they were', async () => {
  const values = [0, 1, -1, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER];
  for (const list of [values, []]) {
    const { rows } = await sql<{ list: unknown[] }>`SELECT ${numberArray(list)}::bigint[] AS list`.execute(
      fixture.db,
    );
    expect(rows[0]?.list.map(Number)).toEqual(list);
  }
});

test('mutations are sorted as COLLATE "C" sorts their entries', async () => {
  const key = fc.string({
    unit: fc.constantFrom('a', 'B', '/', '~', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}'),
    minLength: 1,
    maxLength: 4,
  });
  const entry = fc.record({ collection: fc.constantFrom('carts', 'carts-b', 'orders'), key });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 40 }), async (entries) => {
      const { rows } = await sql`
        SELECT collection, key FROM ${unnestEntries(entries)} AS e (collection, key)
        ORDER BY collection COLLATE "C", key COLLATE "C"`.execute(fixture.db);
      expect(byPrimaryKey(entries)).toEqual(rows);
    }),
    { numRuns: 300 },
  );
});
