import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Version } from '../domain/version.ts';
import { type Lookup, lookup } from '../storage/redis/lookup.ts';
import type { ReadOutcome } from '../telemetry/metrics.ts';
import type { CacheAccess, LookedUp } from './cache-access.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause, remainingMs } from './deadline.ts';
import type { Unsettled } from './found.ts';
import type { ReadResult, RequestOptions } from './holdfast.ts';
import type { Settling } from './settling.ts';
import type { Sources } from './sources.ts';
import { createHoldAgainstRow } from './suspected-copies.ts';
import type { Suspicion } from './suspicion.ts';
import { unavailable } from './trouble.ts';

/**
 * How long a copy that another process is about to fill is waited for. Long enough for a busy one, or a storm of misses reads
 * the row once for each process; not as long as the lease, since its holder may have died.
 */
const FILL_WAIT_MS = 1_500;
/** How soon it is looked for, and how seldom at last. */
export const FILL_PAUSE_MS = 5;
export const LONGEST_FILL_PAUSE_MS = 40;

/** Until when it is waited for (`performance.now()`, ms): what is left of the deadline after it is for reading the row. */
export function fillWaitEnd(deadlineAt: number): number {
  return performance.now() + Math.min(FILL_WAIT_MS, remainingMs(deadlineAt) / 2);
}

type Looked = LookedUp<Lookup>;

/** A result, and whether it still waits to be queued. */
interface Answer extends HeldResult {
  readonly unsettled: Unsettled | undefined;
}

/** A result, and below which version there may still be a copy of the entry, where its row was found to be newer. */
export interface HeldResult extends ReadResult {
  readonly copyBelow?: Version;
}

/** Repairs of one entry under way: the one that runs, and the one that begins when it ends. */
interface Flight {
  readonly current: Promise<Answer>;
  next: Promise<Answer> | undefined;
  /** A lease that was granted to a reader who then joined: the next repair uses it. */
  spareToken: string | undefined;
}

export interface Reader {
  /** @throws HoldfastError dependency-unavailable, deadline-exceeded. */
  read(collection: Collection, key: string, options: RequestOptions): Promise<HeldResult>;
}

/** How a read is counted. */
export function outcomeOf({ source, degraded }: Pick<ReadResult, 'source' | 'degraded'>): ReadOutcome {
  if (degraded) return 'degraded';
  return source === 'cache' ? 'hit' : source === 'pending' ? 'merged' : 'miss';
}

function isHeld(looked: Looked): boolean {
  return looked !== 'redis-down' && looked.found.outcome === 'miss' && looked.found.held;
}

export function createReader(
  ctx: Context,
  deps: {
    readonly cache: CacheAccess;
    readonly sources: Sources;
    readonly settling: Settling;
    readonly suspicion: Suspicion;
  },
): Reader {
  const { cache, sources, settling, suspicion } = deps;
  const { PARTITIONS, REQUEST_DEADLINE_MS } = ctx.environment;
  const holdAgainstRow = createHoldAgainstRow(ctx, suspicion);
  const flights = new Map<string, Flight>();
  async function look(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    token: string,
    deadlineAt: number,
  ): Promise<Looked> {
    return await cache.look({ collection, partition, deadlineAt }, token, (options) =>
      lookup(ctx.redis, ref, options),
    );
  }

  async function repair(
    ref: EntryRef,
    collection: Collection,
    place: { readonly partition: number; readonly deadlineAt: number },
    epoch: string,
    miss: Extract<Lookup, { outcome: 'miss' }>,
  ): Promise<Answer> {
    const { state, source, cacheable, unsettled } = await sources.indexed(
      ref,
      collection,
      place,
      miss.pending,
    );
    if (!cacheable && miss.lease !== undefined) cache.keep(entryId(ref), miss.lease);
    const stored =
      cacheable &&
      miss.lease !== undefined &&
      (await cache.fill(ref, collection, { partition: place.partition, epoch }, miss.lease, state));
    return { state, source, stored, unsettled };
  }

  async function readWithoutRedis(ref: EntryRef, collection: Collection, partition: number): Promise<Answer> {
    const { state, source, unsettled } = await sources.withoutRedis(ref, collection, partition);
    return { state, source, stored: false, degraded: true, unsettled };
  }

  /** The copy; its row, where copies are suspected and the row is newer. Then the copy is dropped. */
  async function trusted(
    ref: EntryRef,
    collection: Collection,
    { state, staged }: Extract<Lookup, { outcome: 'hit' }>,
    { partition, deadlineAt }: { readonly partition: number; readonly deadlineAt: number },
  ): Promise<Answer> {
    const newer = suspicion.active() ? await holdAgainstRow(collection.kind, ref, state) : undefined;
    if (newer === undefined) return { state, source: 'cache', stored: false, unsettled: staged };
    await cache.dropOlder(partition, [{ ...ref, version: newer.copyBelow }], deadlineAt);
    return { ...newer, source: 'row', stored: false, unsettled: undefined };
  }

  /** While a reader of another process fills, its copy is worth a short wait: it spares the database the same read. */
  async function afterFill(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    deadlineAt: number,
    first: Looked,
  ): Promise<Looked> {
    let looked = first;
    let wait = FILL_PAUSE_MS;
    for (const end = fillWaitEnd(deadlineAt); isHeld(looked) && performance.now() < end; ) {
      await pause(wait, deadlineAt);
      wait = Math.min(wait * 2, LONGEST_FILL_PAUSE_MS);
      looked = await look(ref, collection, partition, cache.tokenFor(entryId(ref)), deadlineAt);
    }
    return looked;
  }

  async function finish(
    ref: EntryRef,
    collection: Collection,
    partition: number,
    deadlineAt: number,
    first: Looked,
  ): Promise<Answer> {
    const looked = await afterFill(ref, collection, partition, deadlineAt, first);
    if (looked === 'redis-down') return await readWithoutRedis(ref, collection, partition);
    if (looked.found.outcome === 'hit') {
      return await trusted(ref, collection, looked.found, { partition, deadlineAt });
    }
    try {
      return await repair(ref, collection, { partition, deadlineAt }, looked.epoch, looked.found);
    } catch (error) {
      // It failed before the fill: no fill under way can meet the same token again.
      if (looked.found.lease !== undefined) cache.keep(entryId(ref), looked.found.lease);
      throw error;
    }
  }

  /**
   * Only one repair of an entry runs at a time. A reader that comes while one runs must not share its result, which may be
   * older than a write that was acknowledged since: it shares the next one, which begins with a look into the cache.
   */
  function join(id: string, flight: Flight, again: (token: string) => Promise<Answer>): Promise<Answer> {
    flight.next ??= flight.current
      .catch(() => {})
      .then(() => take(id, again(flight.spareToken ?? cache.tokenFor(id))));
    return flight.next;
  }

  function take(id: string, current: Promise<Answer>): Promise<Answer> {
    const flight: Flight = { current, next: undefined, spareToken: undefined };
    flights.set(id, flight);
    const done = () => {
      if (flights.get(id) === flight && flight.next === undefined) flights.delete(id);
    };
    current.then(done, done);
    return current;
  }

  async function readLatest(ref: EntryRef, collection: Collection, deadlineAt: number): Promise<Answer> {
    const id = entryId(ref);
    const partition = partitionOf(id, PARTITIONS);
    const looked = await look(ref, collection, partition, cache.tokenFor(id), deadlineAt);
    if (looked !== 'redis-down' && looked.found.outcome === 'hit') {
      return await beforeDeadline(
        trusted(ref, collection, looked.found, { partition, deadlineAt }),
        deadlineAt,
      );
    }
    const flight = flights.get(id);
    if (flight === undefined) {
      const found = finish(ref, collection, partition, deadlineAt, looked);
      return await beforeDeadline(take(id, found), deadlineAt);
    }
    if (looked !== 'redis-down' && looked.found.outcome === 'miss' && looked.found.lease !== undefined) {
      flight.spareToken = looked.found.lease;
    }
    const again = async (next: string) => {
      // Others will join it, whose deadlines are later than this reader's.
      const later = performance.now() + REQUEST_DEADLINE_MS;
      const lookedAgain = await look(ref, collection, partition, next, later);
      return finish(ref, collection, partition, later, lookedAgain);
    };
    return await beforeDeadline(join(id, flight, again), deadlineAt);
  }

  return {
    async read(collection, key, { deadlineAt }) {
      const ref = { collection: collection.name, key };
      try {
        for (;;) {
          const answer = await readLatest(ref, collection, deadlineAt);
          if (collection.reads !== 'latest' && answer.unsettled !== undefined) {
            const read = { ...ref, version: answer.state.version };
            if (!(await settling.queued(read, answer.unsettled, deadlineAt))) continue;
          }
          ctx.metrics.read(collection.name, outcomeOf(answer));
          return answer;
        }
      } catch (error) {
        throw unavailable(error);
      }
    },
  };
}
