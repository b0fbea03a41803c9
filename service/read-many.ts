import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import type { Epoch } from '../domain/epoch.ts';
import { type EntryState, type EntryVersion, NEVER_WRITTEN } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import { type Lookup, lookup } from '../storage/redis/lookup.ts';
import type { CacheAccess } from './cache-access.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause } from './deadline.ts';
import type { Unsettled } from './found.ts';
import type { ManyResult, ReadResult, RequestOptions } from './holdfast.ts';
import { FILL_PAUSE_MS, fillWaitEnd, LONGEST_FILL_PAUSE_MS, outcomeOf } from './read.ts';
import type { Settling } from './settling.ts';
import type { Missed, PlacedRef, Sources } from './sources.ts';
import { createHoldAgainstRow } from './suspected-copies.ts';
import type { Suspicion } from './suspicion.ts';
import { uniqueToken } from './tokens.ts';
import { unavailable } from './trouble.ts';

const NOTHING_FOUND = {
  state: NEVER_WRITTEN,
  source: 'row',
  cacheable: false,
  unsettled: undefined,
} as const;

type Hit = Extract<Lookup, { outcome: 'hit' }>;

interface Answer {
  readonly state: EntryState;
  readonly source: ReadResult['source'];
  readonly degraded?: true;
  readonly unsettled: Unsettled | undefined;
}

/** What one look said of an entry. */
type Looked = { readonly found: Lookup; readonly epoch: Epoch } | 'redis-down';

/**
 * Reads many entries of a collection by the rules of single reads: a round trip to Redis for each partition, one statement for
 * the rows of all that missed, one more round trip for the fills. For single readers its repairs are those of another process.
 */
export function createReadMany(
  ctx: Context,
  deps: {
    readonly cache: CacheAccess;
    readonly sources: Sources;
    readonly settling: Settling;
    readonly suspicion: Suspicion;
  },
): (collection: Collection, keys: readonly string[], options: RequestOptions) => Promise<ManyResult> {
  const { cache, sources, settling, suspicion } = deps;
  const { PARTITIONS } = ctx.environment;
  const holdAgainstRow = createHoldAgainstRow(ctx, suspicion);

  /** Notes what Redis says of each entry. */
  async function look(
    collection: Collection,
    refs: readonly PlacedRef[],
    deadlineAt: number,
    looked: Map<PlacedRef, Looked>,
  ): Promise<void> {
    const partitions = new Map<number, PlacedRef[]>();
    for (const one of refs) {
      const others = partitions.get(one.partition);
      if (others === undefined) partitions.set(one.partition, [one]);
      else others.push(one);
    }
    await Promise.all(
      [...partitions].map(async ([partition, some]) => {
        const place = { collection, partition, deadlineAt };
        const all = await cache.look(place, uniqueToken(), (options) =>
          Promise.all(
            some.map(({ ref }) =>
              lookup(ctx.redis, ref, { ...options, token: cache.tokenFor(entryId(ref)) }),
            ),
          ),
        );
        some.forEach((one, i) => {
          const found = all === 'redis-down' ? undefined : all.found[i];
          looked.set(
            one,
            all === 'redis-down' || found === undefined ? 'redis-down' : { found, epoch: all.epoch },
          );
        });
      }),
    );
  }

  /** Copies that others are about to fill are worth a short wait. */
  async function lookUntilFilled(
    collection: Collection,
    refs: readonly PlacedRef[],
    deadlineAt: number,
  ): Promise<Map<PlacedRef, Looked>> {
    const looked = new Map<PlacedRef, Looked>();
    await look(collection, refs, deadlineAt, looked);
    let wait = FILL_PAUSE_MS;
    for (const end = fillWaitEnd(deadlineAt); performance.now() < end; ) {
      const held = refs.filter((one) => isHeld(looked.get(one)));
      if (held.length === 0) break;
      await pause(wait, deadlineAt);
      wait = Math.min(wait * 2, LONGEST_FILL_PAUSE_MS);
      await look(collection, held, deadlineAt, looked);
    }
    return looked;
  }

  /** Holds copies against their rows while others may have written around Redis, as single reads do. */
  async function trusted(
    collection: Collection,
    hits: readonly (readonly [PlacedRef, Hit])[],
    deadlineAt: number,
    answers: Map<PlacedRef, Answer>,
  ): Promise<void> {
    for (const [one, { state, staged }] of hits)
      answers.set(one, { state, source: 'cache', unsettled: staged });
    if (hits.length === 0 || !suspicion.active()) return;
    const older = new Map<number, EntryVersion[]>();
    await Promise.all(
      hits.map(async ([one, { state }]) => {
        const newer = await holdAgainstRow(collection.kind, one.ref, state);
        if (newer === undefined) return;
        answers.set(one, { state: newer.state, source: 'row', unsettled: undefined });
        const below = { ...one.ref, version: newer.copyBelow };
        older.set(one.partition, [...(older.get(one.partition) ?? []), below]);
      }),
    );
    await Promise.all(
      [...older].map(([partition, entries]) => cache.dropOlder(partition, entries, deadlineAt)),
    );
  }

  async function repaired(
    collection: Collection,
    misses: readonly Miss[],
    deadlineAt: number,
    answers: Map<PlacedRef, Answer>,
  ): Promise<void> {
    if (misses.length === 0) return;
    const keep = ({ one, lease }: Miss) => {
      if (lease !== undefined) cache.keep(entryId(one.ref), lease);
    };
    const found = await Promise.all(
      misses.map(({ missed: { ref, partition, pending } }) =>
        sources.indexed(ref, collection, { partition, deadlineAt }, pending),
      ),
    ).catch((error: unknown) => {
      misses.forEach(keep);
      throw error;
    });
    await Promise.all(
      misses.map(async (miss, i) => {
        const { state, source, cacheable, unsettled } = found[i] ?? NOTHING_FOUND;
        const { one, lease, epoch } = miss;
        answers.set(one, { state, source, unsettled });
        if (!cacheable) keep(miss);
        else if (lease !== undefined) {
          await cache.fill(one.ref, collection, { partition: one.partition, epoch }, lease, state);
        }
      }),
    );
  }

  async function unseen(
    collection: Collection,
    refs: readonly PlacedRef[],
    answers: Map<PlacedRef, Answer>,
  ): Promise<void> {
    if (refs.length === 0) return;
    const found = await sources.withoutRedisMany(collection, refs);
    refs.forEach((one, i) => {
      const { state, source, unsettled } = found[i] ?? NOTHING_FOUND;
      answers.set(one, { state, source, unsettled, degraded: true });
    });
  }

  async function readLatest(
    collection: Collection,
    refs: readonly PlacedRef[],
    deadlineAt: number,
  ): Promise<Map<PlacedRef, Answer>> {
    const looked = await lookUntilFilled(collection, refs, deadlineAt);
    const hits: [PlacedRef, Hit][] = [];
    const misses: Miss[] = [];
    const down: PlacedRef[] = [];
    for (const [one, what] of looked) {
      if (what === 'redis-down') down.push(one);
      else if (what.found.outcome === 'hit') hits.push([one, what.found]);
      else {
        const { lease, pending } = what.found;
        misses.push({ one, lease, epoch: what.epoch, missed: { ...one, pending } });
      }
    }
    const answers = new Map<PlacedRef, Answer>();
    await Promise.all([
      trusted(collection, hits, deadlineAt, answers),
      repaired(collection, misses, deadlineAt, answers),
      unseen(collection, down, answers),
    ]);
    return answers;
  }

  /** For durable reads: the answers that may not be given yet. */
  async function notQueued(
    answers: ReadonlyMap<PlacedRef, Answer>,
    deadlineAt: number,
  ): Promise<PlacedRef[]> {
    const again: PlacedRef[] = [];
    await Promise.all(
      [...answers].map(async ([one, { state, unsettled }]) => {
        if (unsettled === undefined) return;
        const entry = { ...one.ref, version: state.version };
        if (!(await settling.queued(entry, unsettled, deadlineAt))) again.push(one);
      }),
    );
    return again;
  }

  return async (collection, keys, { deadlineAt }) => {
    const refs = [...new Set(keys)].map((key): PlacedRef => {
      const ref = { collection: collection.name, key };
      return { ref, partition: partitionOf(entryId(ref), PARTITIONS) };
    });
    const answers = new Map<PlacedRef, Answer>();
    try {
      for (let left: readonly PlacedRef[] = refs; left.length > 0; ) {
        const round = await beforeDeadline(readLatest(collection, left, deadlineAt), deadlineAt);
        for (const [one, answer] of round) answers.set(one, answer);
        left = collection.reads === 'latest' ? [] : await notQueued(round, deadlineAt);
      }
    } catch (error) {
      throw unavailable(error);
    }
    for (const answer of answers.values()) ctx.metrics.read(collection.name, outcomeOf(answer));
    return {
      entries: refs.map((one) => {
        const { version, value } = answers.get(one)?.state ?? NEVER_WRITTEN;
        return { key: one.ref.key, version, value };
      }),
      degraded: [...answers.values()].some(({ degraded }) => degraded === true),
    };
  };
}

/** An entry that is read from where it is, and the right to fill the cache with it, if it was had. */
interface Miss {
  readonly one: PlacedRef;
  readonly missed: Missed;
  readonly lease: string | undefined;
  readonly epoch: Epoch;
}

function isHeld(looked: Looked | undefined): boolean {
  return (
    looked !== undefined && looked !== 'redis-down' && looked.found.outcome === 'miss' && looked.found.held
  );
}
