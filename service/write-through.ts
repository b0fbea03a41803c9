import { crashPoint } from '../config/crash-points.ts';
import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { partitionOf } from '../domain/partition.ts';
import { describeError } from '../storage/postgres/errors.ts';
import {
  EpochChanged,
  RedisOutcomeUnknown,
  RedisUnavailable,
  RedisUnreachable,
} from '../storage/redis/errors.ts';
import { settleEntry, type VoidTicket, voidEntry } from '../storage/redis/write-through.ts';
import { blockMs } from './block.ts';
import {
  type Committed,
  type CommitWork,
  commitInTime,
  incrementWork,
  nothingHappened,
  putWork,
  refusal,
} from './commit-work.ts';
import type { Context } from './context.ts';
import { pause, remainingMs } from './deadline.ts';
import type { DirectWrites } from './direct-write.ts';
import type { Epochs } from './epochs.ts';
import type { WriteOptions } from './holdfast.ts';
import type { Receipt } from './receipt.ts';
import { RECONNECT_PAUSE_MS, type RedisPatience } from './redis-patience.ts';
import { replayedReceipt } from './replay.ts';
import { uniqueToken } from './tokens.ts';
import { outcomeUnknown, redisTooSlow, unavailable } from './trouble.ts';

/** Each further try needs another writer that was faster. */
const TRIES = 5;

export interface WriteThrough {
  /** @throws as `Holdfast.put`. */
  write(collection: Collection, key: string, value: string | null, options: WriteOptions): Promise<Receipt>;
  /** @throws as `Holdfast.increment`. */
  increment(collection: Collection, key: string, by: number, options: WriteOptions): Promise<Receipt>;
  /**
   * The first step alone: drops the copy, blocks fills, takes a version. To be followed by a commit that cannot come after
   * the block, and by `settle`. `go-around`: there is no connection to Redis.
   * @throws dependency-unavailable, deadline-exceeded; then nothing was committed.
   */
  take(
    partition: number,
    collection: Collection,
    ref: EntryRef,
    deadlineAt: number,
  ): Promise<VoidTicket | 'go-around'>;
  /** The last step: sets the copy where the commit changed the row, else ends the block. Never fails for want of Redis. */
  settle(
    collection: Collection,
    key: string,
    partition: number,
    ticket: Pick<VoidTicket, 'token' | 'version'>,
    value: string | null,
    committed: boolean,
  ): Promise<void>;
}

/**
 * PostgreSQL first, then Redis: void the cached copy and block fills, commit under the version that step gave, set the new
 * copy. A crash in between leaves a miss, never a stale hit.
 */
export function createWriteThrough(
  ctx: Context,
  deps: { readonly epochs: Epochs; readonly direct: DirectWrites; readonly patience: RedisPatience },
): WriteThrough {
  const { environment, redis } = ctx;
  const { epochs, direct, patience } = deps;

  async function take(
    partition: number,
    collection: Collection,
    ref: EntryRef,
    deadlineAt: number,
  ): Promise<VoidTicket | 'go-around'> {
    for (let late = 0; late < 3; ) {
      const began = performance.now();
      try {
        const ticket = await epochs.use(partition, deadlineAt, (epoch) =>
          voidEntry(redis, ref, {
            partition,
            epoch,
            notAfter: () => redis.estimatedTime() + environment.REDIS_TIMEOUT_MS * 1_000,
            // Never one token for two tries: a try whose answer was lost may run last. Under its own token, it keeps
            // this write from caching its value over that of a write which was between them.
            token: uniqueToken(),
            blockMs: blockMs(environment),
          }),
        );
        if (ticket !== undefined) return ticket;
        late += 1;
      } catch (error) {
        // Whether the script ran or not, nothing was committed, and it may run again.
        if (patience.failed(error, began)) {
          await pause(RECONNECT_PAUSE_MS, deadlineAt);
          continue;
        }
        // Durable reads are promised to see the latest of all processes, so nothing may go past those that use Redis.
        if (error instanceof RedisUnreachable && collection.reads === 'latest') return 'go-around';
        throw unavailable(error);
      }
    }
    throw redisTooSlow();
  }

  /** Failing here costs a miss until the block ends, nothing else: the entry was dropped before the commit. */
  async function settle(
    collection: Collection,
    key: string,
    partition: number,
    ticket: Pick<VoidTicket, 'token' | 'version'>,
    value: string | null,
    committed: boolean,
  ): Promise<void> {
    try {
      await epochs.use(partition, performance.now() + environment.REDIS_TIMEOUT_MS, (epoch) =>
        settleEntry(redis, { collection: collection.name, key }, ticket, {
          partition,
          epoch,
          kind: collection.kind,
          value,
          ttlMs: collection.cacheTtlSeconds * 1_000,
          committed,
        }),
      );
    } catch (error) {
      const expected =
        error instanceof RedisUnavailable ||
        error instanceof RedisOutcomeUnknown ||
        error instanceof EpochChanged ||
        error instanceof HoldfastError;
      if (!expected) throw error;
      ctx.log.debug({ err: error }, 'a committed entry could not be cached');
    }
  }

  async function run(
    collection: Collection,
    key: string,
    work: CommitWork,
    options: WriteOptions,
  ): Promise<Receipt> {
    const ref = { collection: collection.name, key };
    const partition = partitionOf(entryId(ref), environment.PARTITIONS);
    for (let tries = 1; ; tries++) {
      const ticket = await take(partition, collection, ref, options.deadlineAt);
      if (ticket === 'go-around') {
        return await direct.write(collection, key, work, options, epochs.seenVersion(partition));
      }
      crashPoint('after-void');
      epochs.noteVersion(partition, ticket.version);
      const budgetMs = Math.min(environment.POSTGRES_TIMEOUT_MS, remainingMs(options.deadlineAt));
      let result: Committed;
      try {
        const committing = work.commit(ticket.version, Math.floor(ticket.takenAt + budgetMs * 1_000));
        result = await commitInTime(ctx, committing, options.deadlineAt, async (late) => {
          const committed = late.outcome === 'committed';
          const value = committed ? work.cached(late.value) : null;
          await settle(collection, key, partition, ticket, value, committed);
        });
      } catch (error) {
        if (nothingHappened(error)) {
          await settle(collection, key, partition, ticket, null, false);
          throw unavailable(error);
        }
        // Fills stay blocked until the statement can no longer commit, as a rule; then readers see what became of it, and cache it
        // for a moment only, until the entry is written again.
        throw outcomeUnknown(`PostgreSQL did not confirm the commit (${describeError(error)}).`, error);
      }
      if (result.outcome === 'committed') {
        crashPoint('after-commit');
        await settle(collection, key, partition, ticket, work.cached(result.value), true);
        return {
          ...ref,
          version: ticket.version,
          state: 'persisted',
          created: result.created,
          ...(result.value === undefined ? {} : { value: result.value }),
        };
      }
      if (result.outcome === 'repeated') {
        await settle(collection, key, partition, ticket, null, false);
        return replayedReceipt(ref, result.record, options);
      }
      // The clock is raised to the row's version where that is ahead, so that the next version is above it.
      const version =
        result.outcome === 'superseded' ? Math.max(result.version, ticket.version) : ticket.version;
      await settle(collection, key, partition, { token: ticket.token, version }, null, false);
      if (result.outcome === 'superseded' && tries < TRIES && remainingMs(options.deadlineAt) > 0) continue;
      throw refusal(result);
    }
  }

  return {
    take,
    settle,
    write: (collection, key, value, options) =>
      run(collection, key, putWork(ctx, collection, key, value, options), options),
    increment: (collection, key, by, options) =>
      run(collection, key, incrementWork(ctx, collection, key, by, options), options),
  };
}
