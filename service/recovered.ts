import { entryId, parseEntryId } from '../domain/entry.ts';
import { versionName } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';
import { decisionsOn } from '../storage/postgres/decisions.ts';
import { readEntries } from '../storage/postgres/read-entry.ts';
import type {
  RecoveredMutation,
  RecoveryLock,
  SetAsideWrite,
  SurvivorRow,
} from '../storage/redis/recover.ts';
import type { OccupiedSlot } from '../storage/temporal/read-slots.ts';
import type { Context } from './context.ts';

/** What a recovery found on its way to PostgreSQL, and what will never get there. */
export interface Recovered {
  readonly pending: readonly RecoveredMutation[];
  readonly setAside: readonly SetAsideWrite[];
}

/**
 * Parts what is still on its way in batches from what was set aside, for the index and the idempotency records of a new epoch.
 *
 * A write that was set aside is on no way any more: its entry would be looked for in vain, and who repeats it with its
 * Idempotency-Key would be told that it is queued (rule 19). It stays where a later write of the entry waits, which may rest on
 * it: an increment that was repeated then would count twice.
 * @param surviving writes with idempotency records in batches that survived in Redis
 * @throws errors of PostgreSQL
 */
export async function partSetAside(
  ctx: Context,
  adopted: readonly OccupiedSlot[],
  surviving: readonly { readonly id: string; readonly version: Version }[],
): Promise<Recovered> {
  const listed = new Set<string>();
  const keyed = surviving.map(({ id, version }) => ({ ...parseEntryId(id), version }));
  // One batch after the other: each is large enough.
  for (const writes of [keyed, ...adopted.map(({ mutations }) => mutations)]) {
    if (writes.length === 0) continue;
    for (const write of (await decisionsOn(ctx.db, writes)).listed) listed.add(versionName(write));
  }
  const newest = new Map<string, Version>();
  for (const mutation of adopted.flatMap(({ mutations }) => mutations)) {
    const id = entryId(mutation);
    if (!listed.has(versionName(mutation))) newest.set(id, Math.max(newest.get(id) ?? 0, mutation.version));
  }
  const pending: RecoveredMutation[] = [];
  const setAside: SetAsideWrite[] = keyed.flatMap((write) =>
    listed.has(versionName(write)) ? [{ id: entryId(write), version: write.version }] : [],
  );
  for (const { batchId, mutations } of adopted) {
    for (const mutation of mutations) {
      const { version, records } = mutation;
      const id = entryId(mutation);
      const rested = version <= (newest.get(id) ?? 0);
      if (rested) pending.push({ id, version, batchId, records });
      if (listed.has(versionName(mutation))) {
        setAside.push(rested ? { id, version } : { id, version, batchId, records });
      }
    }
  }
  return { pending, setAside };
}

/**
 * The rows that what survived in Redis is held against (rule 17): of counters always.
 *
 * Of documents with idempotency records where Redis was left for another one (its epoch is not the fence's), and is used again.
 * What the row has was written without them, so they are gone, and their records would say that they happened. In the
 * Redis that is still in use a later write takes the records of the earlier ones along, and what went around Redis came
 * after them: there a document counts, overwritten or not.
 *
 * A recovery that died after it had replaced the fence looks the same. Then a PUT that was overwritten around Redis
 * meanwhile is executed again where it is repeated.
 * @throws errors of PostgreSQL
 */
export async function rowsOfSurvivors(
  { db }: Context,
  survivors: Pick<Extract<RecoveryLock, { outcome: 'locked' }>, 'counters' | 'keyed'>,
  { left }: { readonly left: boolean },
): Promise<SurvivorRow[]> {
  const counters = new Set(survivors.counters);
  const counterRows = await readEntries(db, 'counter', [...counters].map(parseEntryId));
  const rows = counterRows.map((row) => ({ id: entryId(row), version: row.version }));
  const documents = new Set(
    left ? survivors.keyed.map(({ id }) => id).filter((id) => !counters.has(id)) : [],
  );
  if (documents.size === 0) return rows;
  const found = await readEntries(db, 'document', [...documents].map(parseEntryId));
  const versions = new Map(found.map((row) => [entryId(row), row.version]));
  // Where there is no row, persisting ignores what is not above the prune floor. Read after the rows: pruning raises it.
  const { floor } = await decisionsOn(db, []);
  return [...rows, ...[...documents].map((id) => ({ id, version: versions.get(id) ?? floor }))];
}
