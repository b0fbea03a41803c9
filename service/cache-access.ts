import { LRUCache } from 'lru-cache';
import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import type { Epoch } from '../domain/epoch.ts';
import type { EntryState, EntryVersion } from '../domain/mutation.ts';
import {
  EpochChanged,
  RedisOutcomeUnknown,
  RedisOutOfMemory,
  RedisUnavailable,
} from '../storage/redis/errors.ts';
import { fill, type LookupOptions } from '../storage/redis/lookup.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause, remainingMs } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import { invalidateOwn } from './own-redis.ts';
import { RECONNECT_PAUSE_MS, type RedisPatience } from './redis-patience.ts';
import { uniqueToken } from './tokens.ts';

/**
 * A repair that takes longer does not fill the cache. Not longer than a waiting increment can bear: one whose reader died
 * keeps everybody from filling until it expires.
 */
const LEASE_MS = 3_000;
const UNUSED_LEASES = 1_000;
/** So long a read waits at most until the copy that it found to be too old is gone, in ms: one answer of a busy Redis. */
const DROP_WAIT_MS = 100;

/** What Redis said, and in which epoch. */
export type LookedUp<T> = { readonly found: T; readonly epoch: Epoch } | 'redis-down';

/** How readers use the cache: look, and fill what was missing. */
export interface CacheAccess {
  /** A token for a lease of this entry: one that was granted and not used, or a new one. */
  tokenFor(id: string): string;
  /** Keeps a lease that was not used: the next repair goes on with it, or nobody could fill until it expires. */
  keep(id: string, lease: string): void;
  /**
   * Runs a lookup in the current epoch of a partition. `redis-down`: Redis has been away for longer than a connection that
   * broke is waited for.
   * @throws HoldfastError dependency-unavailable, deadline-exceeded.
   */
  look<T>(
    place: { readonly collection: Collection; readonly partition: number; readonly deadlineAt: number },
    token: string,
    run: (options: LookupOptions) => Promise<T>,
  ): Promise<LookedUp<T>>;
  /** Puts what was found into the cache. One that cannot be filled is no reason to fail a read. */
  fill(
    ref: EntryRef,
    collection: Collection,
    place: { readonly partition: number; readonly epoch: Epoch },
    lease: string,
    state: EntryState,
  ): Promise<boolean>;
  /**
   * Drops copies of one partition that are older than these versions of their rows: a later read, of whatever process, must not
   * return them once this one has returned the rows. Waited for shortly, and it may fail; the order to drop them is on its way
   * in any case. Many readers may find the same, and repeating it is harmless. Never throws.
   */
  dropOlder(partition: number, entries: readonly EntryVersion[], deadlineAt: number): Promise<void>;
}

export function createCacheAccess(
  ctx: Context,
  { epochs, patience }: { readonly epochs: Epochs; readonly patience: RedisPatience },
): CacheAccess {
  const { ABSENT_TTL_MS } = ctx.environment;
  const unused = new LRUCache<string, string>({ max: UNUSED_LEASES, ttl: LEASE_MS });

  return {
    tokenFor(id) {
      const token = unused.get(id);
      if (token === undefined) return uniqueToken();
      unused.delete(id);
      return token;
    },
    keep: (id, lease) => void unused.set(id, lease),
    async look({ collection, partition, deadlineAt }, token, run) {
      for (let lease = token; ; lease = uniqueToken()) {
        // A new token for each try: a lookup that was given up may still be under way, and must not renew a lease in use.
        const began = performance.now();
        try {
          return await epochs.use(partition, deadlineAt, async (epoch) => ({
            epoch,
            found: await run({
              partition,
              epoch,
              token: lease,
              leaseMs: LEASE_MS,
              writeThrough: collection.mode === 'write-through',
              durable: collection.reads === 'durable',
            }),
          }));
        } catch (error) {
          if (!(error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown)) throw error;
          // What is cached and not yet queued, only Redis knows: a broken connection is worth a short wait.
          if (!patience.failed(error, began)) return 'redis-down';
          await pause(RECONNECT_PAUSE_MS, deadlineAt);
        }
      }
    },
    async fill(ref, collection, { partition, epoch }, lease, state) {
      try {
        return await fill(ctx.redis, ref, state, {
          partition,
          epoch,
          lease,
          kind: collection.kind,
          ttlMs: state.version === 0 ? ABSENT_TTL_MS : collection.cacheTtlSeconds * 1_000,
        });
      } catch (error) {
        // It certainly did not run, so nothing under way can meet the same token again.
        if (error instanceof RedisOutOfMemory || error instanceof RedisUnavailable) {
          unused.set(entryId(ref), lease);
        }
        if (!(error instanceof EpochChanged))
          ctx.log.debug({ err: error }, 'a read could not fill the cache');
        return false;
      }
    },
    async dropOlder(partition, entries, deadlineAt) {
      // What is left of the deadline after it is for the answer.
      const waitMs = Math.min(DROP_WAIT_MS, remainingMs(deadlineAt) / 2);
      const dropped = invalidateOwn(ctx, partition, entries);
      await beforeDeadline(dropped, performance.now() + waitMs).catch((error: unknown) => {
        ctx.log.debug({ err: error }, 'a read could not drop an older copy in time');
      });
    },
  };
}
