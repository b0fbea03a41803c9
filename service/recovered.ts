import { entryId } from '../domain/entry.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import type { RecoveredMutation } from '../storage/redis/recover.ts';
import type { OccupiedSlot } from '../storage/temporal/read-slots.ts';

/**
 * What is still on its way in batches, for the index and the idempotency records of a new epoch.
 *
 * A write that was set aside is on no way any more: its entry would be looked for in vain, and who repeats it with its
 * Idempotency-Key would be told that it is queued (rule 19). It stays where a later write of the entry waits, which may rest on
 * it: an increment that was repeated then would count twice.
 */
export function recoveredMutations(
  adopted: readonly OccupiedSlot[],
  setAside: readonly EntryVersion[],
): RecoveredMutation[] {
  const listed = new Set(setAside.map(nameOf));
  const newest = new Map<string, number>();
  for (const { mutations } of adopted) {
    for (const mutation of mutations) {
      if (listed.has(nameOf(mutation))) continue;
      const id = entryId(mutation);
      newest.set(id, Math.max(newest.get(id) ?? 0, mutation.version));
    }
  }
  return adopted.flatMap(({ batchId, mutations }) =>
    mutations.flatMap((mutation): RecoveredMutation[] => {
      const { version, records } = mutation;
      const id = entryId(mutation);
      return version <= (newest.get(id) ?? 0) ? [{ id, version, batchId, records }] : [];
    }),
  );
}

function nameOf(write: EntryVersion): string {
  return `${write.version} ${entryId(write)}`;
}
