import { entryId, parseEntryId } from '../domain/entry.ts';
import { versionName } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';
import { decisionsOn } from '../storage/postgres/decisions.ts';
import type { RecoveredMutation, SetAsideWrite } from '../storage/redis/recover.ts';
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
