import { crashPoint } from '../config/crash-points.ts';
import type { Acknowledgement } from '../domain/acknowledgement.ts';
import { satisfies } from '../domain/acknowledgement.ts';
import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { partitionOf } from '../domain/partition.ts';
import { type CommittedRecord, findRecord } from '../storage/postgres/idempotency-records.ts';
import { RedisUnreachable } from '../storage/redis/errors.ts';
import type { StageOutcome } from '../storage/redis/stage-outcome.ts';
import { type StageOptions, stageWrite } from '../storage/redis/write.ts';
import { type Acknowledge, levelOf } from './acknowledge.ts';
import { putWork } from './commit-work.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause } from './deadline.ts';
import type { DirectWrites } from './direct-write.ts';
import type { Epochs } from './epochs.ts';
import type { WriteOptions } from './holdfast.ts';
import { invalidateOwn } from './own-redis.ts';
import type { Reader } from './read.ts';
import type { Receipt } from './receipt.ts';
import { RECONNECT_PAUSE_MS, type RedisPatience } from './redis-patience.ts';
import { replayedReceipt, requireSameRequest } from './replay.ts';
import { stageOptions } from './stage-options.ts';
import type { Suspicion } from './suspicion.ts';
import { uniqueToken } from './tokens.ts';
import {
  counterOverflow,
  draining,
  preconditionFailed,
  queueFull,
  redisTooSlow,
  unavailable,
  writeFailure,
} from './trouble.ts';

/** A script that came too late is tried again: its answer corrected the estimate of Redis' time. */
const LATE_TRIES = 3;

type Staged = Extract<StageOutcome, { outcome: 'staged' }>;
type Replayed = Extract<StageOutcome, { outcome: 'replay' }>;

/** How a write ended that was not refused. */
type Done = Staged | Replayed | { readonly outcome: 'committed-before'; readonly record: CommittedRecord };

export interface WriteBehind {
  /** @throws as `Holdfast.put`. */
  write(collection: Collection, key: string, value: string | null, options: WriteOptions): Promise<Receipt>;
  /** @throws as `Holdfast.increment`. */
  increment(collection: Collection, key: string, by: number, options: WriteOptions): Promise<Receipt>;
}

export function createWriteBehind(
  ctx: Context,
  deps: {
    readonly epochs: Epochs;
    readonly reader: Reader;
    readonly acknowledge: Acknowledge;
    readonly direct: DirectWrites;
    readonly patience: RedisPatience;
    readonly suspicion: Suspicion;
  },
): WriteBehind {
  const { environment, redis, tracing } = ctx;
  const { epochs, reader, acknowledge, direct, patience, suspicion } = deps;
  const common = stageOptions(ctx);

  /** Runs a staging script until it staged or said no. Sent once for each answer: in doubt, the outcome is unknown. */
  async function stage(
    collection: Collection,
    key: string,
    partition: number,
    options: WriteOptions,
    aroundRedis: boolean,
    script: (options: StageOptions) => Promise<StageOutcome>,
  ): Promise<Done | 'go-around'> {
    const { idempotency } = options;
    let once = idempotency === undefined ? undefined : { ...idempotency, asked: '', fresh: uniqueToken() };
    let late = 0;
    for (let misses = 0; ; ) {
      let result: StageOutcome;
      const began = performance.now();
      try {
        result = await epochs.use(partition, options.deadlineAt, (epoch) =>
          script({
            ...common,
            partition,
            epoch,
            ttlMs: collection.cacheTtlSeconds * 1_000,
            condition: options.condition,
            once,
          }),
        );
      } catch (error) {
        // Only what certainly was not sent may be sent again, or go another way.
        if (error instanceof RedisUnreachable) {
          if (patience.failed(error, began)) {
            await pause(RECONNECT_PAUSE_MS, options.deadlineAt);
            continue;
          }
          if (aroundRedis) return 'go-around';
        }
        throw writeFailure(error);
      }
      switch (result.outcome) {
        case 'staged':
          crashPoint('after-stage');
          epochs.noteVersion(partition, result.version);
          tracing?.staged(result.batchId);
          return result;
        case 'replay':
          requireSameRequest(result, idempotency);
          return result;
        case 'check': {
          if (idempotency === undefined) throw new TypeError('Redis asks for a record of no key');
          const record = await committedBefore(ctx, idempotency.key, options.deadlineAt);
          if (record !== undefined) return { outcome: 'committed-before', record };
          once = { ...idempotency, asked: result.token, fresh: uniqueToken() };
          break;
        }
        case 'miss':
          // Repaired by a read; where another reader holds the lease, its fill is worth a short wait.
          if (misses++ > 0) await pause(Math.min(5 * misses, 50), options.deadlineAt);
          await reader.read(collection, key, options);
          break;
        case 'late':
          if (++late >= LATE_TRIES) throw redisTooSlow();
          break;
        case 'full':
          throw queueFull();
        case 'draining':
          throw draining();
        case 'condition':
          throw preconditionFailed(result.version);
        case 'overflow':
          throw counterOverflow();
      }
    }
  }

  /**
   * A condition is decided on the copy, which may be older than a write around Redis: one that is found to be is dropped, so
   * that the row decides.
   */
  async function dropOlderCopy(
    collection: Collection,
    key: string,
    partition: number,
    options: WriteOptions,
  ): Promise<void> {
    const { copyBelow: version } = await reader.read(collection, key, options);
    if (version === undefined) return;
    try {
      await epochs.use(partition, options.deadlineAt, () =>
        invalidateOwn(ctx, partition, [{ collection: collection.name, key, version }]),
      );
    } catch (error) {
      throw unavailable(error);
    }
  }

  async function acknowledged(
    collection: Collection,
    key: string,
    partition: number,
    staged: Staged | Replayed,
    options: WriteOptions,
  ): Promise<Receipt> {
    const wanted = options.durability ?? collection.acknowledge;
    const { batchId, version, value } = staged;
    const write = { collection: collection.name, key, version };
    const receipt = (state: Acknowledgement): Receipt => ({
      ...write,
      state,
      ...(value === undefined ? {} : { value }),
      ...(staged.outcome === 'replay' ? { replayed: true } : {}),
    });
    // Then Temporal has it, under an id of an older epoch perhaps, whose way nobody here follows.
    const queued = staged.outcome === 'replay' && staged.queued;
    if (queued && satisfies('queued', wanted)) return receipt('queued');
    const reached = await acknowledge({ partition, batchId, writes: [write] }, wanted, options.deadlineAt);
    if (queued && (reached.level === 'unknown' || reached.level === 'cached')) return receipt('queued');
    const level = levelOf(write, reached);
    if (level instanceof HoldfastError) throw level;
    return receipt(level);
  }

  async function answer(
    collection: Collection,
    key: string,
    partition: number,
    done: Done,
    options: WriteOptions,
  ): Promise<Receipt> {
    return done.outcome === 'committed-before'
      ? replayedReceipt({ collection: collection.name, key }, done.record, options)
      : await acknowledged(collection, key, partition, done, options);
  }

  return {
    async write(collection, key, value, options) {
      const ref = { collection: collection.name, key };
      const partition = partitionOf(entryId(ref), environment.PARTITIONS);
      const write = { ...ref, kind: collection.kind, value };
      // Counters live on the copy in Redis; a condition must hold against what only Redis may know, and that may have the
      // only record of an Idempotency-Key.
      // Durable reads are promised to see the latest of all processes, so nothing may go past those that use Redis.
      const aroundRedis =
        collection.kind === 'document' &&
        options.condition === undefined &&
        options.idempotency === undefined &&
        collection.reads === 'latest';
      if (
        options.condition !== undefined &&
        collection.kind === 'document' &&
        collection.reads === 'latest' &&
        suspicion.active()
      ) {
        await dropOlderCopy(collection, key, partition, options);
      }
      const staged = await stage(collection, key, partition, options, aroundRedis, (o) =>
        stageWrite(redis, write, o),
      );
      if (staged === 'go-around') {
        const work = putWork(ctx, collection, key, value, {});
        return await direct.write(collection, key, work, options, epochs.seenVersion(partition));
      }
      options.onOrdered?.();
      return await answer(collection, key, partition, staged, options);
    },
    async increment(collection, key, by, options) {
      const ref = { collection: collection.name, key };
      const partition = partitionOf(entryId(ref), environment.PARTITIONS);
      const staged = await stage(collection, key, partition, options, false, (o) =>
        stageWrite(redis, { ...ref, by }, o),
      );
      if (staged === 'go-around') throw new Error('an increment never goes around Redis');
      options.onOrdered?.();
      return await answer(collection, key, partition, staged, options);
    },
  };
}

/** What PostgreSQL remembers of the key; asked after Redis had no record of it. @throws HoldfastError: nothing was written. */
async function committedBefore(
  ctx: Context,
  key: string,
  deadlineAt: number,
): Promise<CommittedRecord | undefined> {
  try {
    return await beforeDeadline(findRecord(ctx.db, key), deadlineAt);
  } catch (error) {
    throw unavailable(error);
  }
}
