import { type Kysely, sql } from 'kysely';
import type { EntryVersion } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';
import type { SetAside } from './types.ts';

/** What was decided before a batch came. */
interface Decisions {
  /** Those of the mutations that were dead-lettered or discarded, in whatever batch. */
  readonly listed: readonly SetAside[];
  /** How far tombstones were pruned. */
  readonly floor: Version;
}

/** Without a listed mutation there is one row, of the floor alone. */
type Found = { readonly floor: Version } & (SetAside | { readonly collection: null });

/**
 * Reads what was decided about these mutations. A statement sees what was committed before it began: this one must come
 * after the one that took the lock of `sharedWithDecisions`, or it would miss a discard that one had to wait for.
 */
export async function decisionsOn(
  trx: Kysely<Database>,
  mutations: readonly EntryVersion[],
): Promise<Decisions> {
  const { rows } = await sql<Found>`/* read-decisions */
    SELECT p.floor, d.collection, d.key, d.version, d.sqlstate, d.message
    FROM pruning AS p LEFT JOIN (
      unnest(
        ${mutations.map((m) => m.collection)}::text[], ${mutations.map((m) => m.key)}::text[],
        ${mutations.map((m) => m.version)}::bigint[]
      ) AS m (collection, key, version)
      JOIN dead_letters AS d ON d.collection = m.collection AND d.key = m.key AND d.version = m.version
    ) ON true`.execute(trx);
  const [first] = rows;
  if (first === undefined) throw new Error('the row of the table "pruning" is gone');
  const listed = rows.flatMap((row) => {
    if (row.collection === null) return [];
    const { collection, key, version, sqlstate, message } = row;
    return [{ collection, key, version, sqlstate, message }];
  });
  return { listed, floor: first.floor };
}
