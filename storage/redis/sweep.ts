import type { BatchId } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { list, number, pairs, statusOf, text } from './reply.ts';

export interface SweepPage {
  /** '0' once the whole index was seen. */
  readonly cursor: string;
  /** Batches confirmed a while ago: their workflows should be looked at. */
  readonly confirmed: readonly { readonly batchId: BatchId; readonly slot: number; readonly runId: string }[];
  /** Entries whose index names a batch that nobody has. */
  readonly dangling: readonly { readonly id: string; readonly batchId: BatchId }[];
}

/**
 * What may be left of batches that are done: scripts/sweep.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function sweepPage(
  redis: RedisStore,
  options: {
    readonly partition: number;
    readonly epoch: Epoch;
    readonly olderThanMs: number;
    readonly cursor: string;
  },
): Promise<SweepPage> {
  const keys = partitionKeys(options.partition);
  const reply = await redis.run(
    'sweep',
    [keys.state, keys.closed, keys.sent, keys.index],
    [options.epoch, keys.name, options.olderThanMs * 1_000, options.cursor],
  );
  statusOf(reply);
  const sent = list(reply, 2);
  const confirmed = [];
  for (let i = 0; i + 2 < sent.length; i += 3) {
    confirmed.push({ batchId: sent[i] as string, slot: Number(sent[i + 1]), runId: sent[i + 2] as string });
  }
  const dangling = pairs(reply, 3).map(([id, batchId]) => ({ id, batchId }));
  return { cursor: text(reply, 1), confirmed, dangling };
}

/**
 * Removes dangling index entries that still name the same batch: scripts/forget.lua. Answers how many.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function forgetEntries(
  redis: RedisStore,
  options: { readonly partition: number; readonly epoch: Epoch },
  entries: readonly { readonly id: string; readonly batchId: BatchId }[],
): Promise<number> {
  const keys = partitionKeys(options.partition);
  const reply = await redis.run(
    'forget',
    [keys.state, keys.index],
    [options.epoch, ...entries.flatMap((entry) => [entry.id, entry.batchId])],
  );
  statusOf(reply);
  return number(reply, 1);
}

/**
 * Records the run that took over from one which ended with its writes inside: scripts/rerun.lua. Answers whether the ended
 * one was still recorded.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown: repeating it is harmless.
 */
export async function recordRerun(
  redis: RedisStore,
  options: { readonly partition: number; readonly epoch: Epoch },
  batch: { readonly batchId: BatchId; readonly slot: number; readonly runId: string },
  newRunId: string,
): Promise<boolean> {
  const keys = partitionKeys(options.partition);
  const reply = await redis.run(
    'rerun',
    [keys.state, keys.sent],
    [options.epoch, batch.batchId, batch.slot, batch.runId, newRunId],
  );
  return statusOf(reply) === 'ok';
}
