import { type Kysely, sql } from 'kysely';
import { SettingsError } from '../../config/problem.ts';
import type { Database } from './database-types.ts';

export interface Topology {
  readonly partitions: number;
  readonly slots: number;
}

/** A topology, and the namespace in which its batches wait. */
export interface Layout extends Topology {
  readonly namespace: string;
}

/** The number in an epoch's name: domain/epoch.ts. */
const EPOCH_NUMBER = sql.raw("split_part(epoch, '-', 1)::bigint");

/**
 * Compares the number of partitions and slots, and Temporal's namespace, with what the data were written under, and records
 * them on first use. With others an entry's pending writes would be looked for in the wrong place, or in too few slots.
 * @throws SettingsError where they differ; it says how to change them.
 */
export async function recordTopology(db: Kysely<Database>, wanted: Layout): Promise<void> {
  await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (trx) => {
      const first = await sql<{ partitions: number }>`
        INSERT INTO topology (partitions, slots, temporal_namespace)
        VALUES (${wanted.partitions}, ${wanted.slots}, ${wanted.namespace})
        ON CONFLICT DO NOTHING RETURNING partitions`.execute(trx);
      // An older version did not record it.
      await sql`UPDATE topology SET temporal_namespace = ${wanted.namespace}
        WHERE temporal_namespace IS NULL`.execute(trx);
      const recorded = await sql<Layout>`
        SELECT partitions, slots, temporal_namespace AS namespace FROM topology`.execute(trx);
      const problems = differences(wanted, recorded.rows[0]);
      if (problems.length > 0) throw new SettingsError(problems);
      await sql`
        INSERT INTO partition_clocks (partition) SELECT generate_series(0, ${wanted.partitions}::integer - 1)
        ON CONFLICT DO NOTHING`.execute(trx);
      // Entries may have moved here from another partition: no clock may be behind the version of any of them.
      if (first.rows.length > 0) {
        await sql`
          UPDATE partition_clocks SET clock = highest.clock
          FROM (SELECT max(clock) AS clock FROM partition_clocks) AS highest
          WHERE partition_clocks.clock < highest.clock`.execute(trx);
        // Redis still has the former slots, and copies of entries that changed elsewhere since: every partition is to be recovered.
        await sql`
          UPDATE topology SET epochs_from = highest.number + 1
          FROM (SELECT max(${EPOCH_NUMBER}) AS number FROM partition_clocks) AS highest
          WHERE highest.number > 0`.execute(trx);
      }
    });
}

/**
 * For each partition the lowest number that the epoch in Redis may have: that of the fence, or where the topology was changed
 * since, a higher one. A Redis with a lower one missed what happened meanwhile (it is an older one that came back, for instance).
 */
export async function lowestEpochNumbers(
  db: Kysely<Database>,
): Promise<readonly { readonly partition: number; readonly number: number }[]> {
  const { rows } = await sql<{ partition: number; number: number }>`
    SELECT partition, greatest(${EPOCH_NUMBER}, (SELECT epochs_from FROM topology)) AS number
    FROM partition_clocks`.execute(db);
  return rows;
}

/** What the data are written under; `undefined` before the first API process ran on this database. */
export async function readTopology(db: Kysely<Database>): Promise<Topology | undefined> {
  const { rows } = await sql<Topology>`SELECT partitions, slots FROM topology`.execute(db);
  return rows[0];
}

function differences(wanted: Layout, recorded: Layout | undefined): string[] {
  if (recorded === undefined) return ['the row of the table "topology" is gone; start again'];
  // A new namespace has none of Holdfast's search attributes yet.
  const migrate = `run "npm run migrate" with ${wanted.namespace}, `;
  const settings = [
    ['PARTITIONS', wanted.partitions, recorded.partitions, ''],
    ['SLOTS', wanted.slots, recorded.slots, ''],
    ['TEMPORAL_NAMESPACE', wanted.namespace, recorded.namespace, migrate],
  ] as const;
  return settings
    .filter(([, now, before]) => now !== before)
    .map(
      ([name, now, before, first]) =>
        `${name} is ${now}, but the data in PostgreSQL were written with ${name}=${before}. Start with ${before}. ` +
        `To change it: start with ${before}, stop all writers, wait until nothing is pending, stop every API and worker ` +
        `process, run "DELETE FROM topology" in the database, ${first}then start with ${now}.`,
    );
}
