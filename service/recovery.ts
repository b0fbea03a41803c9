import { setTimeout as sleep } from 'node:timers/promises';
import { crashPoint } from '../config/crash-points.ts';
import { type Epoch, FIRST_EPOCH, nextEpoch } from '../domain/epoch.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Version } from '../domain/version.ts';
import { readDraining } from '../storage/postgres/draining.ts';
import { readFence, replaceFence } from '../storage/postgres/fence.ts';
import {
  currentEpoch,
  installEpoch,
  lockForRecovery,
  renewRecovery,
  unlockRecovery,
} from '../storage/redis/recover.ts';
import { blockMs } from './block.ts';
import type { Context } from './context.ts';
import { requireOwn } from './own-redis.ts';
import { partSetAside, rowsOfSurvivors } from './recovered.ts';
import { occupiedSlots } from './slots.ts';
import { epochRandom, uniqueToken } from './tokens.ts';

/**
 * How long others wait for a process that died in the middle of a recovery. One that was stopped for longer and wakes is
 * refused when it installs, and begins again.
 */
const LOCK_MS = 3_000;
const RENEW_MS = 1_000;
const UNLOCK_RETRY_MS = 100;
/** A wait for Redis' clock beyond this is no tolerated difference but a wrong clock. */
const LONGEST_CLOCK_WAIT_MS = 20_000;

export interface RecoveryInput {
  /** Epochs numbered below this count as lost memory: this process has seen a later one. */
  readonly minEpochNumber: number;
  /** The highest version this process has seen in the partition. */
  readonly seenVersion: Version;
  /** Called once the fence names the new epoch: earlier ones are over, whatever becomes of this recovery. */
  readonly onFence: (epoch: Epoch) => void;
}

/**
 * Brings a partition back after Redis lost its memory; one attempt. `undefined`: another process is at it, or was faster.
 *
 * The order is the protocol's: read the fence, take lock and run id, ask every slot, replace the fence (from then on no
 * batch of an older epoch commits unless it was adopted), wait for the clock, install.
 * @throws ForeignRedis; whatever Redis, Temporal or PostgreSQL throw while out of reach; then nothing is installed.
 */
export async function recoverPartition(
  ctx: Context,
  partition: number,
  input: RecoveryInput,
): Promise<Epoch | undefined> {
  const fence = await readFence(ctx.db, partition);
  const token = uniqueToken();
  const lock = await lockForRecovery(ctx.redis, partition, {
    token,
    lockMs: LOCK_MS,
    minEpochNumber: input.minEpochNumber,
  }).catch((error: unknown) => {
    void giveBack(ctx, partition, token);
    throw error;
  });
  if (lock.outcome === 'valid') return lock.epoch;
  if (lock.outcome === 'busy') return undefined;

  const letGo = keepLock(ctx, partition, token);
  try {
    crashPoint('after-lock');
    requireOwn(ctx, lock.oldEpoch);
    const started = performance.now();
    const slots = await occupiedSlots(ctx, partition);
    const epoch = nextEpoch(
      `${await ctx.installation()}${epochRandom()}`,
      fence.epoch,
      lock.oldEpoch === '' ? FIRST_EPOCH : lock.oldEpoch,
      `${Math.max(0, input.minEpochNumber)}-0`,
    );
    const replaced = await replaceFence(ctx.db, {
      partition,
      expected: fence.epoch,
      epoch,
      adopted: slots.map((slot) => slot.batchId),
    });
    if (replaced === undefined) {
      void giveBack(ctx, partition, token);
      return undefined;
    }
    input.onFence(epoch);
    crashPoint('after-fence');
    const adopted = slots.filter((slot) => !replaced.refused.includes(slot.batchId));
    const { pending, setAside } = await partSetAside(ctx, adopted, lock.keyed);
    const rows = await rowsOfSurvivors(ctx, lock, { left: lock.oldEpoch !== fence.epoch });

    const known = adopted
      .flatMap(({ mutations }) => mutations)
      .reduce((v, m) => Math.max(v, m.version), Math.max(input.seenVersion, replaced.clock));
    await waitForClock(ctx, partition, known);
    const installed = await installEpoch(ctx.redis, partition, {
      token,
      identity: lock.identity,
      epoch,
      clock: known,
      slots: ctx.environment.SLOTS,
      blockMs: blockMs(ctx.environment),
      adopted,
      pending,
      setAside,
      rows,
      drain: await readDraining(ctx.db),
    });
    if (!installed) {
      void giveBack(ctx, partition, token);
      return undefined;
    }
    crashPoint('after-install');
    ctx.metrics.recovered(partition);
    ctx.log.info(
      {
        partition,
        epoch,
        before: lock.oldEpoch,
        adopted: adopted.length,
        pending: pending.length,
        ms: Math.round(performance.now() - started),
      },
      fence.epoch === FIRST_EPOCH
        ? 'a partition is used for the first time'
        : 'Redis had lost the memory of a partition: recovered it',
    );
    return epoch;
  } catch (error) {
    void giveBack(ctx, partition, token);
    throw error;
  } finally {
    letGo();
  }
}

/** Renews the lock until the function it answers is called. Every step of a recovery has a deadline, so that is called. */
function keepLock(ctx: Context, partition: number, token: string): () => void {
  const timer = setInterval(() => {
    // A renewal that fails needs no answer: a lock that ran out is found when the epoch is installed.
    renewRecovery(ctx.redis, partition, { token, lockMs: LOCK_MS }).catch(() => {});
  }, RENEW_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Gives the lock back, in the background and as often as it takes: nobody else can recover the partition while it is held,
 * and a connection that broke in the middle of a recovery is not back at once. Never throws.
 */
async function giveBack(ctx: Context, partition: number, token: string): Promise<void> {
  for (const end = performance.now() + LOCK_MS; performance.now() < end; ) {
    try {
      await unlockRecovery(ctx.redis, partition, token);
      return;
    } catch {
      await sleep(UNLOCK_RETRY_MS, undefined, { ref: false });
    }
  }
}

/**
 * Waits until Redis' time has passed every version known and this process's own clock by the tolerated difference: a write
 * issued under the old epoch may be known to nobody, and the new epoch must not issue its version again.
 */
async function waitForClock(ctx: Context, partition: number, known: Version): Promise<void> {
  const floor = Math.max(known, (Date.now() + ctx.environment.CLOCK_TOLERANCE_MS) * 1_000);
  for (;;) {
    const { now } = await currentEpoch(ctx.redis, partition);
    if (now > floor) return;
    const waitMs = Math.ceil((floor - now) / 1_000);
    if (waitMs > LONGEST_CLOCK_WAIT_MS) {
      throw new HoldfastError(
        'dependency-unavailable',
        `The clock of Redis is ${Math.round(waitMs / 1_000)} s behind the versions already given out, or behind this process: set the clocks right. This request did nothing.`,
        { dependency: 'redis', retryAfterSeconds: 5 },
      );
    }
    await sleep(waitMs);
  }
}
