import type { Kysely } from 'kysely';
import type { EntryKind } from '../../domain/entry.ts';
import { entryId } from '../../domain/entry.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';
import { readEntries } from './read-entry.ts';

/**
 * Leaves out what may make no row: mutations at or below the prune floor whose entry has none. A tombstone above them may
 * have been there and was pruned; a put that comes this late would bring the entry back. Costs nothing where all versions
 * are above the floor, as they are unless a batch waited for longer than tombstones are kept.
 */
export async function withoutPruned(
  db: Kysely<Database>,
  mutations: readonly Mutation[],
  floor: Version,
): Promise<readonly Mutation[]> {
  const low = mutations.filter((m) => m.version <= floor);
  if (low.length === 0) return mutations;
  const present = new Set<string>();
  for (const kind of ['document', 'counter'] satisfies EntryKind[]) {
    const rows = await readEntries(
      db,
      kind,
      low.filter((m) => m.kind === kind),
    );
    for (const row of rows) present.add(entryId(row));
  }
  return mutations.filter((m) => m.version > floor || present.has(entryId(m)));
}
