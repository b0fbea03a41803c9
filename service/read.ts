import { LRUCache } from 'lru-cache';
import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import { newest } from '../domain/merge.ts';
import { type EntryState, NEVER_WRITTEN } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import { isUnreachable } from '../storage/postgres/errors.ts';
import { readEntry } from '../storage/postgres/read-entry.ts';
import { EpochChanged, RedisOutcomeUnknown, RedisUnavailable } from '../storage/redis/errors.ts';
import { fill, type Lookup, lookup, type Pending } from '../storage/redis/lookup.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { ReadResult, RequestOptions } from './holdfast.ts';
import type { PendingBatches } from './pending-batches.ts';
import { RECONNECT_PAUSE_MS, type RedisPatience } from './redis-patience.ts';
import { newestInSlots } from './slots.ts';
import { uniqueToken } from './tokens.ts';
import { unavailable } from './trouble.ts';

/**
 * A repair that takes longer does not fill the cache. Not longer than a waiting increment can bear: one whose reader died
 * keeps everybody from filling until it expires.
 */
const LEASE_MS = 3_000;
const UNUSED_LEASES = 1_000;

/** Repairs of one entry under way: the one that runs, and the one that begins when it ends. */
interface Flight {
  readonly current: Promise<ReadResult>;
  next: Promise<ReadResult> | undefined;
  /** A lease that was granted to a reader who then joined: the next repair uses it. */
  spareToken: string | undefined;
}

export interface Reader {
  /** @throws HoldfastError dependency-unavailable, deadline-exceeded. */
  read(collection: Collection, key: string, options: RequestOptions): Promise<ReadResult>;
}

export function createReader(
  ctx: Context,
  deps: {
    readonly epochs: Epochs;
    readonly batches: PendingBatches;
    readonly patience: RedisPatience;
  },
): Reader {
  const { epochs, batches, patience } = deps;
  const { PARTITIONS, ABSENT_TTL_MS, REQUEST_DEADLINE_MS } = ctx.environment;
  // A write around Redis commits within one PostgreSQL timeout, and Redis is told by then and a few seconds more.
  const suspectMs = ctx.environment.POSTGRES_TIMEOUT_MS + 2 * ctx.environment.CLOCK_TOLERANCE_MS + 10_000;
  const flights = new Map<string, Flight>();
  // Leases of repairs that failed before they could fill: the next repair goes on with them, or nobody could fill until
  // they expire.
  const unused = new LRUCache<string, string>({ max: UNUSED_LEASES, ttl: LEASE_MS });

  function tokenFor(id: string): string {
    const token = unused.get(id);
    if (token === undefined) return uniqueToken();
    unused.delete(id);
    return token;
  }

  async function look(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    token: string,
    deadlineAt: number,
  ): Promise<{ readonly found: Lookup; readonly epoch: string } | 'redis-down'> {
    for (let lease = token; ; lease = uniqueToken()) {
      // A new token for each try: a lookup that was given up may still be under way, and must not renew a lease in use.
      const began = performance.now();
      try {
        const looked = await epochs.use(partition, deadlineAt, async (epoch) => ({
          epoch,
          found: await lookup(ctx.redis, ref, {
            partition,
            epoch,
            token: lease,
            leaseMs: LEASE_MS,
            writeThrough: collection.mode === 'write-through',
          }),
        }));
        patience.answered();
        return looked;
      } catch (error) {
        if (!(error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown)) throw error;
        // What is cached and not yet queued, only Redis knows: a broken connection is worth a short wait.
        if (!patience.failed(error, began)) return 'redis-down';
        await pause(RECONNECT_PAUSE_MS, deadlineAt);
      }
    }
  }

  /** The pending mutation, if there is one. Asked before the row: a batch may commit in between, and must then be found there. */
  async function pendingState(
    id: string,
    partition: number,
    pending: Pending | undefined,
  ): Promise<EntryState | undefined> {
    if (pending?.where === 'redis') return pending.mutation;
    if (pending?.where === 'temporal') return (await batches.content({ ...pending, partition })).get(id);
    return undefined;
  }

  async function rowState(collection: Collection, ref: EntryRef): Promise<EntryState> {
    return (await readEntry(ctx.db, collection.kind, ref)) ?? NEVER_WRITTEN;
  }

  async function repair(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    epoch: string,
    miss: Extract<Lookup, { outcome: 'miss' }>,
  ): Promise<ReadResult> {
    const id = entryId(ref);
    const pending = await pendingState(id, partition, miss.pending);
    let row: EntryState;
    try {
      row = await rowState(collection, ref);
    } catch (error) {
      // The index names the newest mutation, so it can be answered alone; it is not put into the cache.
      if (pending !== undefined && isUnreachable(error))
        return { state: pending, source: 'pending', stored: false };
      throw error;
    }
    const state = newest(row, pending);
    const stored =
      miss.lease !== undefined && (await tryFill(ref, collection, partition, epoch, miss.lease, state));
    return { state, source: state === pending ? 'pending' : 'row', stored };
  }

  /** A cache that cannot be filled is no reason to fail a read. */
  async function tryFill(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    epoch: string,
    lease: string,
    state: EntryState,
  ): Promise<boolean> {
    try {
      return await fill(ctx.redis, ref, state, {
        partition,
        epoch,
        lease,
        kind: collection.kind,
        ttlMs: state.version === 0 ? ABSENT_TTL_MS : collection.cacheTtlSeconds * 1_000,
      });
    } catch (error) {
      if (!(error instanceof EpochChanged)) ctx.log.debug({ err: error }, 'a read could not fill the cache');
      return false;
    }
  }

  /** Redis is out of reach: every slot may hold something, then the row. */
  async function readWithoutRedis(
    ref: EntryRef,
    collection: Collection,
    partition: number,
  ): Promise<ReadResult> {
    const pending =
      collection.mode === 'write-behind' ? await newestInSlots(ctx, partition, entryId(ref)) : undefined;
    const state = newest<EntryState>(await rowState(collection, ref), pending);
    return { state, source: state === pending ? 'pending' : 'row', stored: false, degraded: true };
  }

  /**
   * Redis was out of reach a moment ago: others may have written around it, and their orders to drop older copies may still
   * be on their way. Until then a copy is held against its row.
   */
  async function trusted(ref: EntryRef, collection: Collection, cached: EntryState): Promise<ReadResult> {
    const hit: ReadResult = { state: cached, source: 'cache', stored: false };
    if (performance.now() > ctx.redis.reconnectedAt() + suspectMs) return hit;
    try {
      const row = await rowState(collection, ref);
      return row.version > cached.version ? { state: row, source: 'row', stored: false } : hit;
    } catch (error) {
      if (isUnreachable(error)) return hit;
      throw error;
    }
  }

  async function finish(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    looked: Awaited<ReturnType<typeof look>>,
  ): Promise<ReadResult> {
    if (looked === 'redis-down') return await readWithoutRedis(ref, collection, partition);
    if (looked.found.outcome === 'hit') {
      return await trusted(ref, collection, looked.found.state);
    }
    try {
      return await repair(ref, collection, partition, looked.epoch, looked.found);
    } catch (error) {
      // It failed before the fill: no fill under way can meet the same token again.
      if (looked.found.lease !== undefined) unused.set(entryId(ref), looked.found.lease);
      throw error;
    }
  }

  /**
   * Only one repair of an entry runs at a time. A reader that comes while one runs must not share its result, which may be
   * older than a write that was acknowledged since: it shares the next one, which begins with a look into the cache.
   */
  function join(
    id: string,
    flight: Flight,
    again: (token: string) => Promise<ReadResult>,
  ): Promise<ReadResult> {
    flight.next ??= flight.current
      .catch(() => {})
      .then(() => take(id, again(flight.spareToken ?? tokenFor(id))));
    return flight.next;
  }

  function take(id: string, current: Promise<ReadResult>): Promise<ReadResult> {
    const flight: Flight = { current, next: undefined, spareToken: undefined };
    flights.set(id, flight);
    const done = () => {
      if (flights.get(id) === flight && flight.next === undefined) flights.delete(id);
    };
    current.then(done, done);
    return current;
  }

  async function read(collection: Collection, key: string, options: RequestOptions): Promise<ReadResult> {
    const ref = { collection: collection.name, key };
    const id = entryId(ref);
    const partition = partitionOf(id, PARTITIONS);
    const token = tokenFor(id);
    try {
      const looked = await look(ref, collection, partition, token, options.deadlineAt);
      if (looked !== 'redis-down' && looked.found.outcome === 'hit') {
        return await trusted(ref, collection, looked.found.state);
      }
      const flight = flights.get(id);
      if (flight === undefined) {
        return await beforeDeadline(take(id, finish(ref, collection, partition, looked)), options.deadlineAt);
      }
      if (looked !== 'redis-down' && looked.found.outcome === 'miss' && looked.found.lease !== undefined) {
        flight.spareToken = looked.found.lease;
      }
      const again = async (next: string) => {
        // Others will join it, whose deadlines are later than this reader's.
        const deadlineAt = performance.now() + REQUEST_DEADLINE_MS;
        return finish(ref, collection, partition, await look(ref, collection, partition, next, deadlineAt));
      };
      return await beforeDeadline(join(id, flight, again), options.deadlineAt);
    } catch (error) {
      throw unavailable(error);
    }
  }

  return { read };
}
