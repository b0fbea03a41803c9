import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Version } from '../domain/version.ts';
import { commitEntry, commitIncrement, type NotCommitted } from '../storage/postgres/commit-entry.ts';
import { neverReached } from '../storage/postgres/errors.ts';
import {
  EpochChanged,
  RedisOutcomeUnknown,
  RedisOutOfMemory,
  RedisUnavailable,
} from '../storage/redis/errors.ts';
import { settleEntry, type VoidTicket, voidEntry } from '../storage/redis/write-through.ts';
import { blockMs } from './block.ts';
import type { Context } from './context.ts';
import { remainingMs } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { Receipt, WriteOptions } from './holdfast.ts';
import { uniqueToken } from './tokens.ts';
import { outcomeUnknown, redisTooSlow, unavailable } from './trouble.ts';

/** Each further try needs another writer that was faster. */
const TRIES = 5;

type Committed =
  | { readonly outcome: 'committed'; readonly created: boolean; readonly value?: number }
  | { readonly outcome: 'overflow' }
  | NotCommitted;

/** How one kind of write commits, and what the cache is then to hold. */
interface Work {
  commit(version: Version, notAfterMicros: number): Promise<Committed>;
  /** The text for the cache after a commit that answered `value`. */
  cached(value: number | undefined): string | null;
}

export interface WriteThrough {
  /** @throws as `Holdfast.put`. */
  write(collection: Collection, key: string, value: string | null, options: WriteOptions): Promise<Receipt>;
  /** @throws as `Holdfast.increment`. */
  increment(collection: Collection, key: string, by: number, options: WriteOptions): Promise<Receipt>;
}

/**
 * PostgreSQL first, then Redis: void the cached copy and block fills, commit under the version that step gave, set the new
 * copy. A crash in between leaves a miss, never a stale hit.
 */
export function createWriteThrough(ctx: Context, epochs: Epochs): WriteThrough {
  const { environment, redis, db } = ctx;

  async function take(
    partition: number,
    ref: { collection: string; key: string },
    deadlineAt: number,
  ): Promise<VoidTicket> {
    for (let tries = 0; tries < 3; tries++) {
      try {
        const ticket = await epochs.use(partition, deadlineAt, (epoch) =>
          voidEntry(redis, ref, {
            partition,
            epoch,
            notAfter: redis.estimatedTime() + environment.REDIS_TIMEOUT_MS * 1_000,
            token: uniqueToken(),
            blockMs: blockMs(environment),
          }),
        );
        if (ticket !== undefined) return ticket;
      } catch (error) {
        // Whether the script ran or not, nothing was committed.
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
        error instanceof RedisOutOfMemory ||
        error instanceof EpochChanged ||
        error instanceof HoldfastError;
      if (!expected) throw error;
      ctx.log.debug({ err: error }, 'a committed entry could not be cached');
    }
  }

  async function run(
    collection: Collection,
    key: string,
    work: Work,
    options: WriteOptions,
  ): Promise<Receipt> {
    const ref = { collection: collection.name, key };
    const partition = partitionOf(entryId(ref), environment.PARTITIONS);
    for (let tries = 1; ; tries++) {
      const ticket = await take(partition, ref, options.deadlineAt);
      epochs.noteVersion(partition, ticket.version);
      const budgetMs = Math.min(environment.POSTGRES_TIMEOUT_MS, remainingMs(options.deadlineAt));
      let result: Committed;
      try {
        result = await work.commit(ticket.version, Math.floor(ticket.takenAt + budgetMs * 1_000));
      } catch (error) {
        if (error instanceof HoldfastError || neverReached(error)) {
          await settle(collection, key, partition, ticket, null, false);
          throw unavailable(error);
        }
        // Fills stay blocked until the statement can no longer commit; then readers see what became of it.
        throw outcomeUnknown('PostgreSQL did not answer.', error);
      }
      if (result.outcome === 'committed') {
        await settle(collection, key, partition, ticket, work.cached(result.value), true);
        return {
          ...ref,
          version: ticket.version,
          state: 'persisted',
          created: result.created,
          ...(result.value === undefined ? {} : { value: result.value }),
        };
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
    write(collection, key, value, options) {
      const work: Work = {
        commit: (version, notAfterMicros) =>
          commitEntry(db, {
            mutation: { collection: collection.name, key, kind: collection.kind, version, value },
            partition: partitionOf(`${collection.name}/${key}`, environment.PARTITIONS),
            notAfterMicros,
            ...(options.condition === undefined ? {} : { condition: options.condition }),
          }),
        cached: () => value,
      };
      return run(collection, key, work, options);
    },
    increment(collection, key, by, options) {
      const work: Work = {
        commit: (version, notAfterMicros) =>
          commitIncrement(db, {
            ref: { collection: collection.name, key },
            version,
            by,
            partition: partitionOf(`${collection.name}/${key}`, environment.PARTITIONS),
            notAfterMicros,
            ...(options.condition === undefined ? {} : { condition: options.condition }),
          }),
        cached: (value) => String(value),
      };
      return run(collection, key, work, options);
    },
  };
}

function refusal(result: Exclude<Committed, { outcome: 'committed' }>): HoldfastError {
  switch (result.outcome) {
    case 'precondition-failed':
      return new HoldfastError('precondition-failed', 'The entry is not in the state the request requires.', {
        currentVersion: result.version,
      });
    case 'overflow':
      return new HoldfastError(
        'counter-overflow',
        'The counter would leave ±9007199254740991. This increment did not happen.',
      );
    case 'too-late':
      return new HoldfastError(
        'dependency-unavailable',
        'PostgreSQL answers too late. This write did not happen. Try again later.',
        { dependency: 'postgres', retryAfterSeconds: 1 },
      );
    case 'superseded':
      return new HoldfastError(
        'dependency-unavailable',
        'Other writes of the same entry were faster each time. This write did not happen. Try again.',
        { dependency: 'postgres', retryAfterSeconds: 1 },
      );
  }
}
