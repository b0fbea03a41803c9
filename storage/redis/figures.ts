import type { BatchId } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { list, number, statusOf, text } from './reply.ts';

/** A batch that Temporal has and whose release Redis has not seen. */
export interface ConfirmedBatch {
  readonly batchId: BatchId;
  readonly slot: number;
  readonly runId: string;
  /** Redis time in µs. */
  readonly confirmedAt: number;
}

export interface RedisFigures {
  readonly epoch: Epoch;
  /** Redis time in µs. */
  readonly now: number;
  /** Entries whose newest write is not known to be persisted. */
  readonly pendingEntries: number;
  /** Entries in batches that Temporal does not have for certain. */
  readonly stagedEntries: number;
  /** Batches without a slot: the one that takes writes, and those that wait for one. */
  readonly unsentBatches: number;
  /** Batches that were offered to Temporal and are not confirmed. */
  readonly offeredBatches: number;
  readonly freeSlots: number;
  /** Of the writes that Temporal does not have for certain; `undefined` where there are none. */
  readonly oldestStaged: Version | undefined;
  readonly confirmed: readonly ConfirmedBatch[];
}

/**
 * How much of a partition waits: scripts/figures.lua.
 * @throws EpochChanged where the partition must be recovered first; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function figuresInRedis(redis: RedisStore, partition: number): Promise<RedisFigures> {
  const keys = partitionKeys(partition);
  const reply = await redis.run(
    'figures',
    [keys.state, keys.closed, keys.queue, keys.sent, keys.free, keys.index],
    [],
  );
  statusOf(reply);
  const loose = list(reply, 9);
  const confirmed: ConfirmedBatch[] = [];
  for (let i = 0; i + 3 < loose.length; i += 4) {
    const [batchId = '', slot, runId = '', confirmedAt] = loose.slice(i, i + 4);
    confirmed.push({ batchId, slot: Number(slot), runId, confirmedAt: Number(confirmedAt) });
  }
  const oldest = text(reply, 8);
  return {
    epoch: text(reply, 1),
    now: number(reply, 2),
    pendingEntries: number(reply, 3),
    stagedEntries: number(reply, 4),
    unsentBatches: number(reply, 5),
    offeredBatches: number(reply, 6),
    freeSlots: number(reply, 7),
    oldestStaged: oldest === '' ? undefined : Number(oldest),
    confirmed,
  };
}
