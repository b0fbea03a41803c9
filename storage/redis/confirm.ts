import type { Batch, BatchId } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { RedisStore } from './client.ts';
import { EVENTS_CHANNEL, partitionKeys } from './keys.ts';
import { statusOf } from './reply.ts';

/**
 * Records that Temporal has the batch, in the slot where the start succeeded: scripts/confirm.lua. The same answer whether
 * this or an earlier call did it.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown: repeating it is harmless.
 */
export async function confirmBatch(
  redis: RedisStore,
  batch: Pick<Batch, 'id' | 'partition' | 'epoch'>,
  slot: number,
  runId: string,
): Promise<void> {
  const keys = partitionKeys(batch.partition);
  const reply = await redis.run(
    'confirm',
    [keys.state, keys.closed, keys.queue, keys.sent, keys.free],
    [batch.epoch, batch.id, slot, runId, EVENTS_CHANNEL],
  );
  statusOf(reply);
}

/** `staged`: in Redis only. `queued`: Temporal has it. `gone`: released, so persisted or refused. */
export type Progress = 'staged' | 'queued' | 'gone';

/**
 * How far batches of one partition have come: scripts/progress.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function batchProgress(
  redis: RedisStore,
  partition: number,
  epoch: Epoch,
  batchIds: readonly BatchId[],
): Promise<Progress[]> {
  const keys = partitionKeys(partition);
  const reply = await redis.run(
    'progress',
    [keys.state, keys.closed, keys.sent],
    [epoch, keys.name, ...batchIds],
  );
  statusOf(reply);
  return reply.slice(1) as Progress[];
}
