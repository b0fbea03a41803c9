import type { BatchId } from '../../domain/batch.ts';
import { entryId } from '../../domain/entry.ts';
import { decodeRecords } from '../../domain/idempotency.ts';
import type { EntryVersion, Mutation } from '../../domain/mutation.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { statusOf } from './reply.ts';

/** How many entries one call handles: a script stops all of Redis while it runs. */
const PAGE = 250;

/**
 * Makes readers, and who repeats them with their Idempotency-Keys, forget writes of a batch that were discarded:
 * scripts/discard.lua. Repeating it is harmless.
 * @param entries with the versions and idempotency records that the batch holds of them
 * @throws EpochChanged where the partition must be recovered first; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function dropDiscarded(
  redis: RedisStore,
  partition: number,
  batchId: BatchId,
  entries: readonly (EntryVersion & Pick<Mutation, 'records'>)[],
): Promise<void> {
  const keys = partitionKeys(partition);
  for (let from = 0; from < entries.length; from += PAGE) {
    const page = entries.slice(from, from + PAGE);
    const reply = await redis.run(
      'discard',
      [
        keys.state,
        keys.index,
        keys.records,
        keys.carried,
        ...page.map((entry) => keys.entryPrefix + entryId(entry)),
      ],
      [
        batchId,
        ...page.flatMap((entry) => [entryId(entry), entry.version]),
        ...page.flatMap((entry) => decodeRecords(entry.records).flatMap(({ key }) => [entryId(entry), key])),
      ],
    );
    statusOf(reply);
  }
}
