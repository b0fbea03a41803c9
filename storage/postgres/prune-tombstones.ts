import { type Kysely, sql } from 'kysely';
import type { EntryKind, EntryRef } from '../../domain/entry.ts';
import type { EntryVersion } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';
import { sqlState } from './errors.ts';
import { lockForPruning } from './partition-lock.ts';
import { unnestEntries } from './unnest.ts';

/** Batches wait while a page is deleted: some milliseconds at this size. */
const PAGE = 500;

/** For each statement of a page. While one waits for the batches before it, those that come wait behind it. */
const PATIENCE_MS = 500;

const STATEMENT_TOOK_TOO_LONG = '57014';

const TABLES = { document: sql.raw('documents'), counter: sql.raw('counters') } as const;

export interface PruneRequest {
  /** At or below every version of every partition that is pending anywhere, and that will be given out. */
  readonly below: Version;
  /**
   * A write that passes no fence may commit for so long after its version was taken, in ms. Compared by PostgreSQL's
   * clock, as the deadlines of such writes are.
   */
  readonly minAgeMs: number;
  /** How many there are. */
  readonly partitions: number;
  /** Looked at before each page. */
  readonly signal?: AbortSignal;
  /** Tombstones looked at in one go. */
  readonly pageSize?: number;
  /** For each statement of a page, in ms. */
  readonly patienceMs?: number;
}

export interface Pruned {
  readonly pruned: number;
  /** See {@link readPruneFloor}; afterwards. */
  readonly floor: Version;
  /** `false`: batches held their partition for so long that the rest was left. */
  readonly complete: boolean;
}

/** The highest version of a tombstone that was removed; 0 where none was. */
export async function readPruneFloor(db: Kysely<Database>): Promise<Version> {
  const { rows } = await sql<{ floor: Version }>`SELECT floor FROM pruning`.execute(db);
  const row = rows[0];
  if (row === undefined) throw new Error('the row of the table "pruning" is gone');
  return row.floor;
}

/**
 * Removes tombstones that nothing older can follow, page by page; what a page removed and the floor that stands for it
 * commit together, so it may end anywhere, and run twice at once. One floor serves all partitions: everything removed is
 * below every pending version of every partition. The tombstone of an entry with an unresolved dead letter stays, since
 * that may still be retried and ignores the floor.
 * @throws the signal's reason; errors as `pg` gave them. What earlier pages removed stays removed.
 */
export async function pruneTombstones(db: Kysely<Database>, request: PruneRequest): Promise<Pruned> {
  const { signal, pageSize = PAGE } = request;
  const below = Math.min(request.below, (await serverTime(db)) - request.minAgeMs * 1_000);
  let pruned = 0;
  for (const kind of ['document', 'counter'] as const) {
    let page: EntryVersion[];
    let after: EntryRef = { collection: '', key: '' };
    do {
      signal?.throwIfAborted();
      page = await tombstonesAfter(db, kind, after, pageSize);
      after = page.at(-1) ?? after;
      const ripe = page.filter(({ version }) => version < below);
      if (ripe.length === 0) continue;
      const removed = await remove(db, kind, ripe, below, request);
      if (removed === undefined) return { pruned, floor: await readPruneFloor(db), complete: false };
      pruned += removed;
    } while (page.length === pageSize);
  }
  return { pruned, floor: await readPruneFloor(db), complete: true };
}

/** PostgreSQL's clock, in microseconds since 1970. */
async function serverTime(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ now: number }>`
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now`.execute(db);
  return rows[0]?.now ?? 0;
}

/** The next tombstones in key order, whatever their version: each page reads a bounded part of the index. */
async function tombstonesAfter(
  db: Kysely<Database>,
  kind: EntryKind,
  after: EntryRef,
  limit: number,
): Promise<EntryVersion[]> {
  const { rows } = await sql<EntryVersion>`
    SELECT collection, key, version FROM ${TABLES[kind]}
    WHERE deleted AND (collection, key) > (${after.collection}, ${after.key})
    ORDER BY collection, key LIMIT ${limit}`.execute(db);
  return rows;
}

/** How many of them were removed; `undefined` where a batch held its partition for too long: then none. */
async function remove(
  db: Kysely<Database>,
  kind: EntryKind,
  ripe: readonly EntryVersion[],
  below: Version,
  { partitions, patienceMs = PATIENCE_MS }: PruneRequest,
): Promise<number | undefined> {
  try {
    return await db
      .transaction()
      .setIsolationLevel('read committed')
      .execute(async (trx) => {
        await sql`SELECT set_config('statement_timeout', ${String(patienceMs)}, true)`.execute(trx);
        await lockForPruning(trx, partitions);
        const { rows } = await sql<{ removed: number }>`
          WITH removed AS (
            DELETE FROM ${TABLES[kind]} AS t
            USING ${unnestEntries(ripe)} AS ripe (collection, key)
            WHERE t.collection = ripe.collection AND t.key = ripe.key AND t.deleted AND t.version < ${below}
              AND NOT EXISTS (
                SELECT FROM dead_letters AS d
                WHERE d.collection = t.collection AND d.key = t.key AND d.state = 'dead')
            RETURNING t.version
          )
          UPDATE pruning SET floor = greatest(floor, (SELECT max(version) FROM removed))
          RETURNING (SELECT count(*) FROM removed) AS removed`.execute(trx);
        return rows[0]?.removed ?? 0;
      });
  } catch (error) {
    if (sqlState(error) === STATEMENT_TOOK_TOO_LONG) return undefined;
    throw error;
  }
}
