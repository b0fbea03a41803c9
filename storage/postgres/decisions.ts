import { type Kysely, sql } from 'kysely';
import type { EntryVersion } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';
import type { SetAside } from './types.ts';
import { unnestVersions } from './unnest.ts';

/** What was decided before a batch came. */
interface Decisions {
  /** Those of the mutations that were dead-lettered or discarded, in whatever batch. */
  readonly listed: readonly SetAside[];
  /** How far tombstones were pruned. */
  readonly floor: Version;
}

/**
 * Reads what was decided about these mutations. A statement sees what was committed before it began: this one must come
 * after the one that took the lock of `sharedWithDecisions`, or it would miss a discard that one had to wait for.
 */
export async function decisionsOn(
  trx: Kysely<Database>,
  mutations: readonly EntryVersion[],
): Promise<Decisions> {
  // Usually nothing was ever decided, and then the mutations need not travel.
  const { rows } = await sql<{ floor: Version; any: boolean }>`/* read-decisions */
    SELECT floor, EXISTS (SELECT FROM dead_letters) AS any FROM pruning`.execute(trx);
  const [first] = rows;
  if (first === undefined) throw new Error('the row of the table "pruning" is gone');
  return { listed: first.any ? await listedOf(trx, mutations) : [], floor: first.floor };
}

async function listedOf(trx: Kysely<Database>, mutations: readonly EntryVersion[]): Promise<SetAside[]> {
  const { rows } = await sql<SetAside>`/* read-dead-letters */
    SELECT d.collection, d.key, d.version, d.sqlstate, d.message
    FROM ${unnestVersions(mutations)} AS m (collection, key, version)
    JOIN dead_letters AS d ON d.collection = m.collection AND d.key = m.key AND d.version = m.version`.execute(
    trx,
  );
  return rows;
}
