import { type EntryRef, entryId } from '../../domain/entry.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { statusOf } from './reply.ts';

/**
 * Tells Redis of entries of one partition that were written around it: scripts/invalidate.lua. Repeating it is harmless.
 * @throws EpochChanged where the partition must be recovered first; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function invalidateEntries(
  redis: RedisStore,
  partition: number,
  entries: readonly (EntryRef & { readonly version: Version })[],
): Promise<void> {
  const keys = partitionKeys(partition);
  const reply = await redis.run(
    'invalidate',
    [keys.state, keys.blocks, ...entries.map((entry) => keys.entryPrefix + entryId(entry))],
    entries.flatMap((entry) => [entryId(entry), entry.version]),
  );
  statusOf(reply);
}
