import { setTimeout as sleep } from 'node:timers/promises';
import { type Epoch, epochNumber } from '../domain/epoch.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Version } from '../domain/version.ts';
import { EpochChanged, RedisOutcomeUnknown, RedisUnavailable } from '../storage/redis/errors.ts';
import { currentEpoch } from '../storage/redis/recover.ts';
import type { Context } from './context.ts';
import { beforeDeadline, pause, remainingMs } from './deadline.ts';
import { createKnownEpochs, type PartitionState } from './known-epochs.ts';
import { requireOwn } from './own-redis.ts';
import { recoverPartition } from './recovery.ts';
import { unavailable } from './trouble.ts';

/** How long to leave another process to its recovery before looking again. */
const BUSY_PAUSE_MS = 50;
/** How long to wait for PostgreSQL before an epoch is taken as Redis has it; what it answers later still counts. */
const LEARN_MS = 1_000;
/** A recovery that failed is tried again after this, or up to twice this: what it needs may be on its knees. */
const FAILED_PAUSE_MS = 200;

/** The epoch of every partition as this process knows it, found or recovered where it is not valid. */
export interface Epochs {
  /**
   * Asks PostgreSQL which epochs there were: before the first use, and by itself whenever an epoch must be looked for. An earlier one
   * is not valid, whatever Redis says. @throws errors of PostgreSQL.
   */
  learn(): Promise<void>;
  /**
   * Runs `work` in the current epoch. Where a script finds another epoch, it certainly changed nothing, so `work` runs
   * again in the new one, after a recovery if it must be; requests wait for that within their deadline.
   * @throws HoldfastError dependency-unavailable (also where Redis holds another installation's data) or deadline-exceeded;
   *   RedisUnavailable where Redis cannot be asked for the epoch; and whatever `work` throws.
   */
  use<T>(partition: number, deadlineAt: number, work: (epoch: Epoch) => Promise<T>): Promise<T>;
  /** Notes what a script answered: the clock of a later epoch must be above it. */
  noteVersion(partition: number, version: Version): void;
  /** The highest version noted; 0 where none was. */
  seenVersion(partition: number): Version;
}

export function createEpochs(ctx: Context): Epochs {
  const { stateOf, current, accept, note, learn, learnWithin } = createKnownEpochs(ctx);

  async function find(partition: number, state: PartitionState): Promise<Epoch | undefined> {
    const connectedAt = ctx.redis.reconnectedAt();
    const { epoch, named } = await currentEpoch(ctx.redis, partition);
    // What Redis says of itself is held against the fence, which others may have moved.
    await learnWithin(LEARN_MS);
    requireOwn(ctx, named);
    const found =
      accept(state, epoch, connectedAt) ??
      accept(
        state,
        await recoverPartition(ctx, partition, {
          minEpochNumber: state.highest,
          seenVersion: state.seenVersion,
          onFence: (fence) => note(state, epochNumber(fence)),
        }),
        connectedAt,
      );
    // Here, where all who wait share it: were each to pause by itself, somebody would always be looking.
    if (found === undefined) await sleep(BUSY_PAUSE_MS);
    return found;
  }

  /** One look at a time, shared by all. Its failure is shared with those that come shortly after, too. */
  function findOnce(partition: number, state: PartitionState): Promise<Epoch | undefined> {
    const done = () => {
      state.finding = undefined;
    };
    state.finding ??= find(partition, state).then(
      (epoch) => {
        done();
        return epoch;
      },
      (error: unknown) => {
        // Whether Redis is there shows for free, and is watched closely while it is away.
        if (error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown) done();
        else setTimeout(done, FAILED_PAUSE_MS * (1 + Math.random())).unref();
        throw error;
      },
    );
    return state.finding;
  }

  async function ensure(partition: number, deadlineAt: number): Promise<Epoch> {
    const state = stateOf(partition);
    for (;;) {
      const known = current(state);
      if (known !== undefined) return known;
      try {
        const epoch = await beforeDeadline(findOnce(partition, state), deadlineAt);
        if (epoch !== undefined) return epoch;
      } catch (error) {
        if (error instanceof HoldfastError && error.code === 'deadline-exceeded') {
          throw new HoldfastError(
            'dependency-unavailable',
            'Redis lost its memory and is being recovered. Nothing accepted is lost; this request did nothing.',
            { dependency: 'redis', retryAfterSeconds: 1 },
          );
        }
        // The caller's own script was not sent, whatever became of those that look for the epoch.
        if (error instanceof RedisOutcomeUnknown) throw new RedisUnavailable(error.message, error);
        if (error instanceof RedisUnavailable) throw error;
        throw unavailable(error);
      }
    }
  }

  return {
    learn,
    async use(partition, deadlineAt, work) {
      const state = stateOf(partition);
      for (;;) {
        const epoch = current(state) ?? (await ensure(partition, deadlineAt));
        try {
          return await work(epoch);
        } catch (error) {
          if (!(error instanceof EpochChanged)) throw error;
          // Another one is looked at anew: it may be that of an older Redis.
          if (state.epoch === epoch) state.epoch = undefined;
          if (remainingMs(deadlineAt) <= 0) await pause(0, deadlineAt);
        }
      }
    },
    noteVersion(partition, version) {
      const state = stateOf(partition);
      if (version > state.seenVersion) state.seenVersion = version;
    },
    seenVersion: (partition) => stateOf(partition).seenVersion,
  };
}
