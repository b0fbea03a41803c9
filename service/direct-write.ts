import { GATHER_MS } from '../config/cache-repair.ts';
import { crashPoint } from '../config/crash-points.ts';
import type { Collection } from '../domain/collection.ts';
import { type EntryRef, entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Version } from '../domain/version.ts';
import { describeError } from '../storage/postgres/errors.ts';
import { readFence } from '../storage/postgres/fence.ts';
import { readEntry } from '../storage/postgres/read-entry.ts';
import type { CacheRepairs } from './cache-repairs.ts';
import { type Committed, type CommitWork, commitInTime, nothingHappened, refusal } from './commit-work.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause, remainingMs } from './deadline.ts';
import type { WriteOptions } from './holdfast.ts';
import type { Receipt } from './receipt.ts';
import { replayedReceipt } from './replay.ts';
import type { SlotLookups } from './slots.ts';
import { outcomeUnknown, unavailable } from './trouble.ts';

const TRIES = 3;

/** Writes that go straight to PostgreSQL while Redis is out of reach. */
export interface DirectWrites {
  /**
   * Only for a write that certainly did not reach Redis. `seen`: the highest version this process knows of the partition.
   * @throws as `Holdfast.put`.
   */
  write(
    collection: Collection,
    key: string,
    work: CommitWork,
    options: WriteOptions,
    seen: Version,
  ): Promise<Receipt>;
}

/**
 * Others may still use Redis, so a direct write keeps clear of what they do: its version is odd where those of Redis are
 * even, it lies above everything known and above every clock, the process waits until its own clock has passed it before it
 * commits (no version from the future is ever readable), and a durable workflow that will drop older cached copies is
 * started before the commit.
 */
export function createDirectWrites(
  ctx: Context,
  { repairs, slots }: { readonly repairs: CacheRepairs; readonly slots: SlotLookups },
): DirectWrites {
  const { environment, db, metrics } = ctx;
  const tolerance = environment.CLOCK_TOLERANCE_MS;

  /** The highest version of the entry and of its partition that anybody can have read. */
  async function known(collection: Collection, ref: EntryRef, partition: number): Promise<Version> {
    const pending =
      collection.mode === 'write-behind' ? await slots.newest(partition, entryId(ref)) : undefined;
    const [row, fence] = await Promise.all([readEntry(db, collection.kind, ref), readFence(db, partition)]);
    return Math.max(pending?.version ?? 0, row?.version ?? 0, fence.clock);
  }

  async function attempt(
    collection: Collection,
    ref: EntryRef,
    partition: number,
    work: CommitWork,
    options: WriteOptions,
    seen: Version,
  ): Promise<{ readonly version: Version; readonly result: Committed }> {
    let version: Version;
    let deadline: number;
    try {
      const floor = Math.max(
        seen,
        await beforeDeadline(known(collection, ref, partition), options.deadlineAt),
      );
      version = Math.max(floor + 1, (Date.now() + 2 * tolerance) * 1_000);
      if (version % 2 === 0) version += 1;
      const passed = version / 1_000 + 2 * tolerance;
      const waitMs = passed - Date.now();
      if (waitMs >= remainingMs(options.deadlineAt)) throw tooFarAhead();
      // The order takes as long as the clocks, or a little longer: it is given while they are waited for.
      const budgetMs = Math.max(waitMs, GATHER_MS) + environment.POSTGRES_TIMEOUT_MS;
      deadline = Math.floor(Date.now() + Math.min(budgetMs, remainingMs(options.deadlineAt)));
      // Given up here, the order may still be given: then an entry is dropped from the cache for nothing.
      const announced = Promise.all([
        repairs.announce(partition, { ...ref, version }, deadline),
        passedBy(passed, options.deadlineAt),
      ]);
      await beforeDeadline(announced, options.deadlineAt);
      crashPoint('after-announce');
    } catch (error) {
      throw unavailable(error);
    }
    try {
      const committing = work.commit(version, deadline * 1_000);
      const result = await commitInTime(ctx, committing, options.deadlineAt, async (late) => {
        if (late.outcome === 'committed') repairs.tellSoon(partition, { ...ref, version });
      });
      return { version, result };
    } catch (error) {
      if (nothingHappened(error)) throw unavailable(error);
      throw outcomeUnknown(`PostgreSQL did not confirm the commit (${describeError(error)}).`, error);
    }
  }

  return {
    async write(collection, key, work, options, seen) {
      const ref = { collection: collection.name, key };
      const partition = partitionOf(entryId(ref), environment.PARTITIONS);
      for (let tries = 1, floor = seen; ; tries++) {
        const { version, result } = await attempt(collection, ref, partition, work, options, floor);
        if (result.outcome === 'committed') {
          crashPoint('after-direct-commit');
          metrics.wroteAroundRedis();
          repairs.tellSoon(partition, { ...ref, version });
          return {
            ...ref,
            version,
            state: 'persisted',
            created: result.created,
            ...(result.value === undefined ? {} : { value: result.value }),
          };
        }
        if (result.outcome === 'repeated') return replayedReceipt(ref, result.record, options);
        if (result.outcome !== 'superseded' || tries >= TRIES) throw refusal(result);
        floor = Math.max(version, result.version);
      }
    },
  };
}

/** Waits until this process's clock has passed `time` (ms since 1970). @throws HoldfastError `deadline-exceeded`. */
async function passedBy(time: number, deadlineAt: number): Promise<void> {
  while (Date.now() <= time) await pause(time - Date.now() + 1, deadlineAt);
}

function tooFarAhead(): HoldfastError {
  return new HoldfastError(
    'dependency-unavailable',
    'Redis cannot be reached, and the time left is too short for a write around it. This write did not happen. Try again.',
    { dependency: 'redis', retryAfterSeconds: 1 },
  );
}
