import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EntriesPage, listEntries, listingStatement } from '../../storage/postgres/list-entries.ts';
import { type Fixture, migratedDatabase } from './postgres-fixture.ts';

let fixture: Fixture;
const KEYS = [
  'a',
  'a/',
  'a/b',
  'aa',
  'b',
  'z',
  'é',
  'é1',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '😀',
  '😀x',
  '\u{10ffff}',
  '\u{10ffff}x',
];
beforeAll(async () => {
  fixture = await migratedDatabase();
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    SELECT 'carts', key, 2, to_jsonb(key), false FROM unnest(${KEYS}::text[]) AS key`.execute(fixture.db);
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'ab', 4, NULL, true), ('cart', 'a0', 2, '1', false), ('carts2', 'a0', 2, '1', false)`.execute(
    fixture.db,
  );
  await sql`INSERT INTO counters (collection, key, version, value, deleted)
    VALUES ('views', 'a', 2, -9007199254740991, false)`.execute(fixture.db);
});
afterAll(() => fixture.close());

const list = (page: Partial<EntriesPage>) =>
  listEntries(fixture.db, {
    collection: 'carts',
    kind: 'document',
    after: '',
    prefix: '',
    limit: 100,
    ...page,
  });
const keysOf = async (page: Partial<EntriesPage>) => (await list(page)).entries.map(({ key }) => key);

test('keys come in the order of their bytes, without tombstones and other collections', async () => {
  expect(await keysOf({})).toEqual(KEYS);
  expect((await list({})).more).toBe(false);
  expect((await list({})).entries[0]).toEqual({
    key: 'a',
    version: 2,
    value: '"a"',
    updatedAt: expect.any(Date),
  });
  expect((await list({ kind: 'counter', collection: 'views' })).entries).toMatchObject([
    { key: 'a', value: '-9007199254740991' },
  ]);
});

test('page after page shows every entry once, whatever the limit', async () => {
  for (const limit of [1, 2, 7, KEYS.length, 1_000]) {
    const seen: string[] = [];
    for (let after = '', more = true; more; ) {
      const page = await list({ after, limit });
      seen.push(...page.entries.map(({ key }) => key));
      after = seen.at(-1) ?? '';
      more = page.more;
    }
    expect(seen).toEqual(KEYS);
  }
});

test.each(['a', 'a/', 'é', '\ud7ff', '\uffff', '😀', '\u{10ffff}', 'nothing'])(
  'the prefix %j',
  async (prefix) => {
    const wanted = KEYS.filter((key) => key.startsWith(prefix));
    expect(await keysOf({ prefix })).toEqual(wanted);
    expect(await keysOf({ prefix, after: wanted[0] ?? '' })).toEqual(wanted.slice(1));
    expect(await keysOf({ prefix, after: '\u{10ffff}\u{10ffff}' })).toEqual([]);
  },
);

test('a page of large values ends early and says that there are more', async () => {
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    SELECT 'large', lpad(i::text, 3, '0'), 2, to_jsonb(repeat('x', 500000)), false FROM generate_series(1, 40) AS i`.execute(
    fixture.db,
  );
  const first = await list({ collection: 'large' });
  expect(first).toMatchObject({ more: true });
  expect(first.entries.length).toBe(16);
  const second = await list({ collection: 'large', after: first.entries.at(-1)?.key ?? '' });
  const third = await list({ collection: 'large', after: second.entries.at(-1)?.key ?? '' });
  expect([second.entries.length, third.entries.length, third.more]).toEqual([16, 8, false]);
});

test('a page reads a part of the primary key index, and sorts nothing', async () => {
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    SELECT 'many', 'k' || lpad(i::text, 6, '0'), 2, '1', false FROM generate_series(1, 30000) AS i`.execute(
    fixture.db,
  );
  await sql`ANALYZE documents`.execute(fixture.db);
  for (const page of [{}, { after: 'k015000' }, { prefix: 'k0270' }, { prefix: 'k02', after: 'k025000' }]) {
    const { sql: text, parameters } = listingStatement({
      collection: 'many',
      kind: 'document',
      after: '',
      prefix: '',
      limit: 50,
      ...page,
    }).compile(fixture.db);
    const literal = text.replace(/\$(\d+)/g, (_, n) => {
      const value = parameters[Number(n) - 1];
      return typeof value === 'number' ? String(value) : `'${value}'`;
    });
    const { rows } = await sql<{
      'QUERY PLAN': string;
    }>`${sql.raw(`EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ${literal}`)}`.execute(fixture.db);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Scan using documents_pkey/);
    expect(plan).not.toMatch(/Seq Scan|Incremental Sort|Rows Removed by Filter/);
    // No more rows than the page and the one that says whether there are more.
    const read = /Index Scan using documents_pkey.*?rows=(\d+)/.exec(plan)?.[1];
    expect(Number(read)).toBeLessThanOrEqual(51);
  }
});
