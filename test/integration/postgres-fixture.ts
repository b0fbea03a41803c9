import { type Kysely, type RawBuilder, sql } from 'kysely';
import { expect } from 'vitest';
import { type Batch, batchId } from '../../domain/batch.ts';
import { FIRST_EPOCH } from '../../domain/epoch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import { createDatabase as openDatabase } from '../../storage/postgres/database.ts';
import type { Database } from '../../storage/postgres/database-types.ts';
import { migrateToLatest } from '../../storage/postgres/migrate.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { createDatabase } from '../support/services.ts';

export interface Fixture {
  readonly url: string;
  readonly db: Kysely<Database>;
  /** Another pool on the same database. */
  open(options?: { poolSize?: number; timeoutMs?: number }): Kysely<Database>;
  close(): Promise<void>;
}

/** A database of its own with all tables and two partitions. */
export async function migratedDatabase(): Promise<Fixture> {
  const database = await createDatabase();
  const closers: (() => Promise<void>)[] = [];
  const open: Fixture['open'] = ({ poolSize = 10, timeoutMs = 30_000 } = {}) => {
    const handle = openDatabase({
      url: database.url,
      poolSize,
      timeoutMs,
      applicationName: 'holdfast-test',
    });
    closers.push(() => handle.close());
    return handle.db;
  };
  const db = open();
  await migrateToLatest(db);
  await recordTopology(db, { partitions: 2, slots: 4, namespace: 'default' });
  return {
    url: database.url,
    db,
    open,
    async close() {
      await Promise.all(closers.map((close) => close()));
      await database.drop();
    },
  };
}

/** Runs a statement that takes a lock, in a transaction that stays open until the function that is answered is called. */
export async function holding(
  db: Kysely<Database>,
  statement: RawBuilder<unknown>,
): Promise<() => Promise<void>> {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held: Promise<void> | undefined;
  await new Promise<void>((resolve, reject) => {
    held = db.transaction().execute(async (trx) => {
      await statement.execute(trx);
      resolve();
      await released;
    });
    held.catch(reject);
  });
  return async () => {
    release();
    await held;
  };
}

/** Waits until `sessions` sessions of this database wait for a lock. */
export async function waitingForLocks(db: Kysely<Database>, sessions: number): Promise<void> {
  await expect
    .poll(async () => {
      const { rows } = await sql`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(db);
      return rows.length;
    })
    .toBe(sessions);
}

let numbers = 0;

/** A batch of partition 0 with an id of its own. */
export function batchOf(mutations: readonly Mutation[], epoch = FIRST_EPOCH): Batch {
  numbers += 1;
  return { id: batchId(epoch, 0, numbers), partition: 0, epoch, mutations };
}

/** Sets a document of the collection `carts`; `null` deletes it. */
export function put(key: string, version: number, value: string | null): Mutation {
  return { collection: 'carts', key, kind: 'document', version, value };
}

/** Sets a counter of the collection `views`. */
export function count(key: string, version: number, value: string | null): Mutation {
  return { collection: 'views', key, kind: 'counter', version, value };
}
