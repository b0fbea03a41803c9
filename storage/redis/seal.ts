import type { Batch } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import { type PackedBatch, packedBatch } from '../../domain/packed-mutations.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { list, number, type ScriptReply, statusOf, text } from './reply.ts';

/** A batch with its slot, ready to be offered to Temporal. */
export interface SealedBatch {
  readonly batch: PackedBatch;
  readonly slot: number;
  /** Redis time in µs. */
  readonly offeredAt: number;
}

function sealedOf(reply: ScriptReply, partition: number, epoch: Epoch): SealedBatch {
  return {
    batch: packedBatch({ id: text(reply, 1), partition, epoch }, list(reply, 4)),
    slot: Number(text(reply, 2)),
    offeredAt: number(reply, 3),
  };
}

export type SealOutcome =
  /** `left`: closed batches that still have no slot. */
  | { readonly outcome: 'sealed'; readonly sealed: SealedBatch; readonly left: number }
  /** The open batch should gather company for this long. */
  | { readonly outcome: 'wait'; readonly ms: number }
  | { readonly outcome: 'none' }
  /** No slot is free: the queue is full for now. */
  | { readonly outcome: 'full' };

/**
 * Seals the oldest batch of a partition: scripts/seal.lua.
 * @throws EpochChanged, RedisUnavailable; RedisOutcomeUnknown: the batch may be sealed, and is adopted later.
 */
export async function sealBatch(
  redis: RedisStore,
  options: {
    readonly partition: number;
    readonly epoch: Epoch;
    readonly slots: number;
    readonly gatherMinMs: number;
    readonly gatherMaxMs: number;
  },
): Promise<SealOutcome> {
  const keys = partitionKeys(options.partition);
  const reply = await redis.run(
    'seal',
    [keys.state, keys.open, keys.closed, keys.queue, keys.sent, keys.free],
    [options.epoch, keys.name, options.slots, options.gatherMinMs * 1_000, options.gatherMaxMs * 1_000],
  );
  const status = statusOf(reply);
  if (status === 'sealed') {
    const sealed = sealedOf(reply, options.partition, options.epoch);
    return { outcome: 'sealed', sealed, left: number(reply, 5) };
  }
  if (status === 'wait') return { outcome: 'wait', ms: Math.ceil(number(reply, 1) / 1_000) };
  return { outcome: status === 'full' ? 'full' : 'none' };
}

/**
 * A batch that was offered longer ago than `olderThanMs` and never confirmed: scripts/adopt.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function adoptBatch(
  redis: RedisStore,
  options: { readonly partition: number; readonly epoch: Epoch; readonly olderThanMs: number },
): Promise<SealedBatch | undefined> {
  const keys = partitionKeys(options.partition);
  const reply = await redis.run(
    'adopt',
    [keys.state, keys.closed, keys.sent],
    [options.epoch, options.olderThanMs * 1_000],
  );
  return statusOf(reply) === 'sealed' ? sealedOf(reply, options.partition, options.epoch) : undefined;
}

/**
 * Another slot for a sealed batch whose slot turned out to be taken: scripts/reslot.lua.
 * `gone`: somebody else confirmed or released it.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function reslotBatch(
  redis: RedisStore,
  batch: Pick<Batch, 'id' | 'partition' | 'epoch'>,
  takenSlot: number,
): Promise<{ readonly slot: number } | 'gone' | 'full'> {
  const keys = partitionKeys(batch.partition);
  const reply = await redis.run(
    'reslot',
    [keys.state, keys.closed, keys.sent, keys.free],
    [batch.epoch, batch.id, takenSlot],
  );
  const status = statusOf(reply);
  if (status === 'slot') return { slot: Number(text(reply, 1)) };
  return status === 'full' ? 'full' : 'gone';
}
