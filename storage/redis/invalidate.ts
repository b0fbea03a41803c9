import { type EntryRef, entryId } from '../../domain/entry.ts';
import type { Epoch, Installation } from '../../domain/epoch.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { statusOf } from './reply.ts';

/**
 * Tells Redis of entries of one partition that were written around it: scripts/invalidate.lua. Repeating it is harmless.
 * @param place.installation whose entries they are, as far as the caller knows
 * @throws EpochChanged where the partition must be recovered first, OtherInstallationsRedis; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function invalidateEntries(
  redis: RedisStore,
  {
    partition,
    installation,
  }: { readonly partition: number; readonly installation: Installation | undefined },
  entries: readonly (EntryRef & { readonly version: Version })[],
): Promise<void> {
  const keys = partitionKeys(partition);
  const reply = await redis.run(
    'invalidate',
    [keys.state, keys.blocks, ...entries.map((entry) => keys.entryPrefix + entryId(entry))],
    [installation ?? '', ...entries.flatMap((entry) => [entryId(entry), entry.version])],
  );
  statusOf(reply);
}

/**
 * Up to `version`, what is pending in the partition may be older than its row: scripts/newest.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown: repeating it is harmless.
 */
export async function raiseNewestFrom(
  redis: RedisStore,
  { partition, epoch }: { readonly partition: number; readonly epoch: Epoch },
  version: Version,
): Promise<void> {
  statusOf(await redis.run('newest', [partitionKeys(partition).state], [epoch, version]));
}
