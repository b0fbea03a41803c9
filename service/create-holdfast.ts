import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Collections } from '../config/collections.ts';
import type { Environment } from '../config/environment.ts';
import { SettingsError } from '../config/problem.ts';
import { createDatabase } from '../storage/postgres/database.ts';
import { describeError, isUnreachable } from '../storage/postgres/errors.ts';
import { recordTopology } from '../storage/postgres/topology.ts';
import { connectRedis } from '../storage/redis/client.ts';
import { connectTemporal } from '../storage/temporal/client.ts';
import { followBatches } from './batch-events.ts';
import { createCacheRepairs } from './cache-repairs.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import { createDirectWrites } from './direct-write.ts';
import { createEpochs } from './epochs.ts';
import { createExplain } from './explain.ts';
import { createFlusher } from './flusher.ts';
import { createHealth } from './health.ts';
import type { Holdfast } from './holdfast.ts';
import { createOffers } from './offer-batch.ts';
import { createPendingBatches } from './pending-batches.ts';
import { createReader } from './read.ts';
import { createRedisPatience } from './redis-patience.ts';
import { createSettling } from './settling.ts';
import { startSweeper } from './sweeper.ts';
import { createWaiters } from './waiters.ts';
import { createWriteBehind } from './write-behind.ts';
import { createWriteThrough } from './write-through.ts';

const RETRY_MS = 1_000;

/**
 * Connects to Redis, PostgreSQL and Temporal, checks what must be right before a write is accepted, and starts the
 * background work. Waits for a PostgreSQL or Redis that is not up yet.
 * @throws SettingsError where the settings contradict what is recorded, or Redis may evict what it must keep.
 */
export async function createHoldfast(deps: {
  readonly environment: Environment;
  readonly collections: Collections;
  readonly log: Logger;
}): Promise<Holdfast> {
  const { environment, collections, log } = deps;
  const database = createDatabase({
    url: environment.DATABASE_URL,
    poolSize: environment.POSTGRES_POOL_SIZE,
    timeoutMs: environment.POSTGRES_TIMEOUT_MS,
    applicationName: 'holdfast-api',
  });
  const redis = connectRedis({
    url: environment.REDIS_URL,
    timeoutMs: environment.REDIS_TIMEOUT_MS,
    name: 'holdfast-api',
    onError: (error) => log.debug({ err: error }, 'Redis connection'),
  });
  const temporal = connectTemporal({ environment });
  const ctx: Context = { environment, redis, temporal, db: database.db, log };
  const closeAll = async () => {
    await Promise.allSettled([redis.close(), temporal.close(), database.close()]);
  };
  try {
    await checkTopology(ctx);
    await checkEviction(ctx);
  } catch (error) {
    await closeAll();
    throw error;
  }

  const epochs = createEpochs(ctx);
  const batches = createPendingBatches(ctx);
  const waiters = createWaiters();
  const offers = createOffers(ctx, waiters);
  const flusher = createFlusher(ctx, epochs, offers, waiters);
  const patience = createRedisPatience();
  const settling = createSettling(ctx, { waiters, flusher });
  const reader = createReader(ctx, { epochs, batches, patience, settling });
  const direct = createDirectWrites(ctx, createCacheRepairs(ctx));
  const behind = createWriteBehind(ctx, { epochs, reader, waiters, flusher, direct, patience });
  const through = createWriteThrough(ctx, { epochs, direct, patience });
  const explain = createExplain(ctx, epochs, batches);
  const stopFollowing = followBatches(ctx, epochs, waiters, flusher);
  const stopSweeping = startSweeper(ctx, epochs);
  // Begins the recovery of what has no epoch yet, before the first request has to wait for it.
  for (let partition = 0; partition < environment.PARTITIONS; partition++) flusher.wake(partition);
  const writer = { 'write-behind': behind, 'write-through': through };

  return {
    collections,
    read: reader.read,
    put: (collection, key, value, options) => writer[collection.mode].write(collection, key, value, options),
    delete: (collection, key, options) => writer[collection.mode].write(collection, key, null, options),
    increment: (collection, key, by, options) =>
      writer[collection.mode].increment(collection, key, by, options),
    explain,
    health: createHealth(ctx),
    async close(deadlineAt) {
      stopSweeping();
      await beforeDeadline(flusher.flush(deadlineAt), deadlineAt).catch((error: unknown) => {
        log.warn(
          { err: error },
          'not everything could be flushed before closing; other processes adopt the rest',
        );
      });
      flusher.stop();
      stopFollowing();
      await closeAll();
    },
  };
}

/** PARTITIONS and SLOTS must be what is recorded: another number would look for pending writes in the wrong place. */
async function checkTopology(ctx: Context): Promise<void> {
  const topology = { partitions: ctx.environment.PARTITIONS, slots: ctx.environment.SLOTS };
  for (let said = ''; ; await sleep(RETRY_MS)) {
    try {
      await recordTopology(ctx.db, topology);
      return;
    } catch (error) {
      if (error instanceof SettingsError || !isUnreachable(error)) throw error;
      const problem = describeError(error);
      if (problem !== said) ctx.log.warn(`waiting for PostgreSQL: ${problem}`);
      said = problem;
    }
  }
}

/** A policy that may evict keys without a TTL would drop staged writes. */
async function checkEviction(ctx: Context): Promise<void> {
  for (let said = false; ; await sleep(RETRY_MS)) {
    try {
      const policy = await ctx.redis.evictionPolicy();
      if (policy?.startsWith('allkeys-') === true) {
        throw new SettingsError([
          `REDIS_URL: this Redis has maxmemory-policy ${policy}, which may evict writes that are not in the database yet: set it to noeviction or to a volatile-* policy`,
        ]);
      }
      if (policy === undefined)
        ctx.log.warn('cannot read the maxmemory-policy of Redis: it must not be allkeys-*');
      return;
    } catch (error) {
      if (error instanceof SettingsError) throw error;
      if (!said) ctx.log.warn(`waiting for Redis: ${(error as Error).message}`);
      said = true;
    }
  }
}
