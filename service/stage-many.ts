import { crashPoint } from '../config/crash-points.ts';
import type { Acknowledgement } from '../domain/acknowledgement.ts';
import { type BatchId, mutationBytes } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import { RedisUnreachable } from '../storage/redis/errors.ts';
import type { StageOutcome } from '../storage/redis/stage-outcome.ts';
import { MAX_STAGED_TOGETHER, stageWrites } from '../storage/redis/write.ts';
import { type Acknowledge, levelOf } from './acknowledge.ts';
import type { BatchOperation } from './batch-operation.ts';
import type { Context } from './context.ts';
import { remainingMs } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { WriteOptions } from './holdfast.ts';
import type { Receipt } from './receipt.ts';
import { stageOptions } from './stage-options.ts';
import { mistake, writeFailure } from './trouble.ts';

/** One for each operation; `undefined` where nothing happened, and the operation is worth a way of its own. */
export type StagedMany = (Receipt | HoldfastError | undefined)[];

/**
 * Writes many entries that are written behind, each once: what a write costs by itself (a call, a promise, a timer) is paid
 * for a script and for a batch. Only the usual way is gone here. What needs more (a repair, another try, a way around
 * Redis) is left to the caller, as are operations with a condition or an Idempotency-Key.
 */
export type StageMany = (operations: readonly BatchOperation[], options: WriteOptions) => Promise<StagedMany>;

export function createStageMany(
  ctx: Context,
  deps: {
    readonly epochs: Epochs;
    readonly acknowledge: Acknowledge;
  },
): StageMany {
  const { environment, redis, tracing } = ctx;
  const { epochs, acknowledge } = deps;
  const common = stageOptions(ctx);

  async function stage(
    partition: number,
    operations: readonly BatchOperation[],
    deadlineAt: number,
  ): Promise<StageOutcome[] | undefined> {
    const writes = operations.map(stagedWrite);
    try {
      return await epochs.use(partition, deadlineAt, (epoch) =>
        stageWrites(redis, writes, { ...common, partition, epoch }),
      );
    } catch (error) {
      if (error instanceof RedisUnreachable) return undefined;
      throw writeFailure(error);
    }
  }

  /** Stages some operations of one partition, and waits for them, batch by batch. */
  async function perform(
    partition: number,
    operations: readonly BatchOperation[],
    { durability, deadlineAt }: WriteOptions,
  ): Promise<StagedMany> {
    const outcomes = await stage(partition, operations, deadlineAt);
    const results: StagedMany = operations.map(() => undefined);
    const waits = new Map<string, Waits>();
    outcomes?.forEach((outcome, index) => {
      const operation = operations[index];
      if (outcome.outcome !== 'staged' || operation === undefined) return;
      const { outcome: _, batchId, ...staged } = outcome;
      epochs.noteVersion(partition, staged.version);
      const { collection, key } = operation;
      const wanted = durability ?? collection.acknowledge;
      const same = `${batchId} ${wanted}`;
      const group = waits.get(same) ?? { batchId, wanted, writes: [] };
      if (group.writes.length === 0) waits.set(same, group);
      group.writes.push({ index, collection: collection.name, key, ...staged });
    });
    if (waits.size > 0) crashPoint('after-stage');
    await Promise.all(
      [...waits.values()].map(async ({ batchId, wanted, writes }) => {
        tracing?.staged(batchId);
        const reached = await acknowledge({ partition, batchId, writes }, wanted, deadlineAt);
        for (const { index, ...write } of writes) {
          const state = levelOf(write, reached);
          results[index] = state instanceof HoldfastError ? state : { ...write, state };
        }
      }),
    );
    return results;
  }

  return async (operations, options) => {
    const results: StagedMany = operations.map(() => undefined);
    if (remainingMs(options.deadlineAt) <= 0) return results;
    const parts = new Map<number, Placed[]>();
    operations.forEach((operation, index) => {
      const id = entryId({ collection: operation.collection.name, key: operation.key });
      const partition = partitionOf(id, environment.PARTITIONS);
      const placed = { index, bytes: mutationBytes(id, operation.op === 'put' ? operation.value : null) };
      const part = parts.get(partition);
      if (part === undefined) parts.set(partition, [placed]);
      else part.push(placed);
    });
    const some = async (partition: number, indices: readonly number[]) => {
      const of = indices.flatMap((index) => operations[index] ?? []);
      try {
        const done = await perform(partition, of, options);
        indices.forEach((index, i) => {
          results[index] = done[i];
        });
      } catch (error) {
        const answer = mistake(ctx.log, error);
        for (const index of indices) results[index] = answer;
      }
    };
    await Promise.all(
      [...parts].flatMap(([partition, placed]) => slices(placed).map((slice) => some(partition, slice))),
    );
    return results;
  };
}

/** An operation, by its index in the request, and what it weighs. */
interface Placed {
  readonly index: number;
  readonly bytes: number;
}

interface Waits {
  readonly batchId: BatchId;
  readonly wanted: Acknowledgement;
  readonly writes: (EntryVersion & { readonly index: number; readonly value?: number })[];
}

function stagedWrite(operation: BatchOperation) {
  const { collection, key } = operation;
  const common = { collection: collection.name, key, ttlMs: collection.cacheTtlSeconds * 1_000 };
  if (operation.op === 'increment') return { ...common, by: operation.by };
  return { ...common, kind: collection.kind, value: operation.op === 'put' ? operation.value : null };
}

/** Cuts operations into what one script takes, in their order: indices. */
function slices(placed: readonly Placed[]): number[][] {
  const { entries, bytes } = MAX_STAGED_TOGETHER;
  const lists: number[][] = [];
  let sum = 0;
  for (const one of placed) {
    const list = lists.at(-1);
    sum += one.bytes;
    if (list !== undefined && list.length < entries && sum <= bytes) {
      list.push(one.index);
    } else {
      lists.push([one.index]);
      sum = one.bytes;
    }
  }
  return lists;
}
