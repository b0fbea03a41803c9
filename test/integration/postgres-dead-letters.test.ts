import { type Kysely, type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../storage/postgres/database-types.ts';
import {
  countDeadLetters,
  countingStatement,
  listDeadLetters,
  listingStatement,
} from '../../storage/postgres/dead-letters.ts';
import { type Fixture, migratedDatabase } from './postgres-fixture.ts';

const DEAD = 30_000;
const DISCARDED = 20;

/** Many that wait for a person, after an outage of an application, and few that one gave up. */
let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
  const { db } = fixture;
  await sql`INSERT INTO dead_letters (collection, key, partition, batch_id, version, kind, value, state)
    SELECT 'carts', 'k' || i, 0, 'b', 2, 'document', repeat('x', 200),
           CASE WHEN i % ${DEAD / DISCARDED}::integer = 0 THEN 'discarded' ELSE 'dead' END
    FROM generate_series(1, ${DEAD}::integer) AS i`.execute(db);
  await sql`VACUUM (ANALYZE) dead_letters`.execute(db);
});
afterAll(() => fixture.close());

async function planOf(db: Kysely<Database>, statement: RawBuilder<unknown>): Promise<string> {
  const { rows } = await sql<{
    'QUERY PLAN': string;
  }>`EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ${statement}`.execute(db);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

test('counting those of each state reads the index of that state, and never the table', async () => {
  const plan = await planOf(fixture.db, countingStatement());
  expect(plan).toMatch(/using dead_letters_discarded/);
  expect(plan).toMatch(/using dead_letters_dead/);
  expect(plan).not.toMatch(/Seq Scan|Rows Removed by Filter/);
  expect(await countDeadLetters(fixture.db)).toEqual({ dead: DEAD - DISCARDED, discarded: DISCARDED });
});

test('a page of those that were discarded reads their index', async () => {
  const page = { after: 0, limit: 10, state: 'discarded' } as const;
  const plan = await planOf(fixture.db, listingStatement(page));
  expect(plan).toMatch(/using dead_letters_discarded/);
  expect(plan).not.toMatch(/Seq Scan|Sort|Rows Removed by Filter/);
  expect(await listDeadLetters(fixture.db, page)).toHaveLength(10);
});
