import type { BatchId } from '../../domain/batch.ts';
import { type EntryRef, entryId } from '../../domain/entry.ts';
import type { Epoch } from '../../domain/epoch.ts';
import { decodeRecords } from '../../domain/idempotency.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { EVENTS_CHANNEL, partitionKeys } from './keys.ts';
import { statusOf } from './reply.ts';

export interface Release {
  readonly batchId: BatchId;
  readonly partition: number;
  /** All entries of the batch, with the versions and idempotency records it held. */
  readonly entries: readonly (EntryRef & { readonly version: Version; readonly records?: string })[];
  /** Those that did not reach their row: dead-lettered or discarded. */
  readonly setAside: readonly EntryRef[];
  readonly outcome: 'persisted' | 'refused';
  /** Only in this epoch; without it in whatever epoch is valid. */
  readonly epoch?: Epoch | undefined;
}

/** How many entries one call handles: a script stops all of Redis while it runs. */
const PAGE = 250;

/**
 * Ends a batch in Redis: scripts/release.lua. Part of the batch, not best effort: repeat it until it succeeds; repeating
 * is harmless.
 * @throws EpochChanged where the partition has no valid epoch, or not the named one, OtherInstallationsRedis; RedisUnavailable;
 * RedisOutcomeUnknown.
 */
export async function releaseBatch(redis: RedisStore, release: Release): Promise<void> {
  const keys = partitionKeys(release.partition);
  const aside = new Set(release.setAside.map(entryId));
  const message = [
    release.outcome,
    release.batchId,
    ...(aside.size > 0 ? [JSON.stringify([...aside])] : []),
  ].join(' ');
  for (let from = 0; from === 0 || from < release.entries.length; from += PAGE) {
    const page = release.entries.slice(from, from + PAGE);
    const last = from + PAGE >= release.entries.length;
    const reply = await redis.run(
      'release',
      [
        keys.state,
        keys.closed,
        keys.queue,
        keys.sent,
        keys.free,
        keys.index,
        keys.records,
        keys.carried,
        ...page.map((entry) => keys.entryPrefix + entryId(entry)),
      ],
      [
        release.epoch ?? '',
        release.batchId,
        last ? message : '',
        EVENTS_CHANNEL,
        ...page.map((entry) =>
          // Of a batch that is refused nothing reached its row, and a reader may have found it in its slot before.
          release.outcome === 'refused' || aside.has(entryId(entry)) ? -entry.version : entry.version,
        ),
        ...page.flatMap((entry) => decodeRecords(entry.records).flatMap(({ key }) => [entryId(entry), key])),
      ],
    );
    statusOf(reply);
  }
}

/** A message on the channel, read back. `undefined` for text of another form. */
export function parseBatchEvent(message: string):
  | {
      readonly event: 'queued' | 'persisted' | 'refused';
      readonly batchId: BatchId;
      readonly setAside: readonly string[];
    }
  | undefined {
  const match = /^(queued|persisted|refused) (\S+)(?: (.*))?$/s.exec(message);
  if (match === null) return undefined;
  return {
    event: match[1] as 'queued' | 'persisted' | 'refused',
    batchId: match[2] as string,
    setAside: match[3] === undefined ? [] : (JSON.parse(match[3]) as string[]),
  };
}
