import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prune } from '../../activities/prune-tombstones.ts';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import type { Batch } from '../../domain/batch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { pruneTombstones } from '../../storage/postgres/prune-tombstones.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  type Part,
  VIEWS,
  type World,
  within,
} from './rules-fixture.ts';

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  // What is slow here is the machine.
  const patient = { TEMPORAL_TIMEOUT_MS: '30000', REDIS_TIMEOUT_MS: '20000', POSTGRES_TIMEOUT_MS: '20000' };
  part = await world.part({ TOMBSTONE_MIN_AGE_MS: '0', REQUEST_DEADLINE_MS: '100', ...patient });
});
afterEach(() => world.close());

/** Carries what is staged to PostgreSQL, as a batch of its own. */
async function persisted(slot: number): Promise<void> {
  await part.flusher.flush(within(30_000));
  const { workflow } = part.ctx.temporal.client;
  await world.withWorker(() => workflow.getHandle(slotWorkflowId(0, slot)).result());
}

/** What a start that was given up, and lands after all, makes of a batch. */
async function persistLate(mutation: Mutation): Promise<void> {
  const epoch = await epochOf(part);
  const batch: Batch = { id: `${epoch}.p00.999`, partition: 0, epoch, mutations: [mutation] };
  expect(await persistBatch(part.ctx.db, batch)).toEqual({ outcome: 'persisted', setAside: [] });
}

async function rows(): Promise<unknown[]> {
  const found = await sql`
    SELECT key, version, value::text FROM documents UNION ALL SELECT key, version, value::text FROM counters`.execute(
    part.ctx.db,
  );
  return found.rows;
}

test.each([
  ['document', CARTS, '"old"', '"new"'],
  ['counter', VIEWS, '7', '9'],
] as const)(
  'a late batch cannot bring back a deleted %s whose tombstone was pruned; a new write does',
  async (kind, collection, old, renewed) => {
    const first = await part.behind.write(collection, 'k', old, cached());
    await persisted(0);
    const { version } = await part.behind.write(collection, 'k', null, cached());
    await persisted(1);
    expect(await rows()).toMatchObject([{ version, value: null }]);
    await until(() => Date.now() * 1_000 > version + 150_000, { what: 'the age of the tombstone' });
    expect(await prune(part.ctx, new AbortController().signal)).toEqual({ pruned: 1, floor: version });

    const late: Mutation = {
      collection: collection.name,
      key: 'k',
      kind,
      version: first.version,
      value: old,
    };
    await persistLate(late);
    expect(await rows()).toEqual([]);
    await world.raw.del(`hf:{p00}:e:${collection.name}/k`);
    const { state } = await part.reader.read(collection, 'k', { deadlineAt: within(30_000) });
    expect(state.value).toBeNull();

    const again = await part.behind.write(collection, 'k', renewed, cached());
    await persisted(2);
    await persistLate(late);
    expect(await rows()).toEqual([{ key: 'k', version: again.version, value: renewed }]);
  },
);

test('no tombstone goes while a batch is in the middle of its transaction', async () => {
  const { db } = part.ctx;
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'gone', 10, NULL, true), ('carts', 'busy', 10, '1', false)`.execute(db);
  const epoch = await epochOf(part);
  const mutation: Mutation = { collection: 'carts', key: 'busy', kind: 'document', version: 20, value: '2' };
  const batch: Batch = { id: `${epoch}.p00.999`, partition: 0, epoch, mutations: [mutation] };
  const patience = { below: 100, minAgeMs: 0, partitions: 1, patienceMs: 300 };
  let persisting: Promise<unknown> | undefined;
  await db.transaction().execute(async (trx) => {
    await sql`SELECT FROM documents WHERE key = 'busy' FOR UPDATE`.execute(trx);
    persisting = persistBatch(db, batch);
    const waits = sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%upsert-documents%'
      AND datname = current_database() AND pid <> pg_backend_pid()`;
    await until(async () => (await waits.execute(db)).rows.length > 0, {
      what: 'the batch to wait for a row',
    });
    expect(await pruneTombstones(db, patience)).toMatchObject({ pruned: 0, complete: false });
  });
  await persisting;
  expect(await pruneTombstones(db, { ...patience, patienceMs: 20_000 })).toMatchObject({
    pruned: 1,
    complete: true,
  });
});
