import type { Logger } from 'pino';
import type { Collections } from '../config/collections.ts';
import type { Environment } from '../config/environment.ts';
import { type ApiKey, rateLimitsOf } from '../config/keys.ts';
import type { SettingsError } from '../config/problem.ts';
import { createSharedCommits } from '../storage/postgres/commit-shared.ts';
import { createDatabase } from '../storage/postgres/database.ts';
import { syncsToDisk } from '../storage/postgres/fsync.ts';
import { createInstallationReader } from '../storage/postgres/installation.ts';
import { listActions } from '../storage/postgres/operator-actions.ts';
import { createRecordReader } from '../storage/postgres/read-record.ts';
import { connectRedis } from '../storage/redis/client.ts';
import { connectTemporal } from '../storage/temporal/client.ts';
import type { ServiceMetrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { createAcknowledge } from './acknowledge.ts';
import { followBatches } from './batch-events.ts';
import { createCacheAccess } from './cache-access.ts';
import { createCacheRepairs } from './cache-repairs.ts';
import type { Context } from './context.ts';
import { createDeadLetters } from './dead-letters.ts';
import { beforeDeadline } from './deadline.ts';
import { createDirectWrites } from './direct-write.ts';
import { createDiscardWrites } from './discard-writes.ts';
import { createEpochs, type Epochs } from './epochs.ts';
import { createExplain } from './explain.ts';
import { createFigures } from './figures.ts';
import { createFlusher } from './flusher.ts';
import { createHealth } from './health.ts';
import type { Holdfast } from './holdfast.ts';
import { createInvalidate } from './invalidate.ts';
import { createList } from './list.ts';
import { createOffers } from './offer-batch.ts';
import { createBatches } from './operations/batches.ts';
import { createCorrection } from './operations/correct-dead-letter.ts';
import { createDraining } from './operations/draining.ts';
import { createFlush } from './operations/flush.ts';
import { createSummary } from './operations/summary.ts';
import { createPatch } from './patch.ts';
import { createPayloads } from './payloads.ts';
import { createPendingBatches } from './pending-batches.ts';
import { startRateLimits } from './rate-limits.ts';
import { createReader } from './read.ts';
import { createReadMany } from './read-many.ts';
import { createRedisPatience } from './redis-patience.ts';
import { createRedisCheck } from './redis-settings.ts';
import { createSettling } from './settling.ts';
import { createSlotLookups } from './slots.ts';
import { createSources } from './sources.ts';
import { createStageMany } from './stage-many.ts';
import { createSuspicion } from './suspicion.ts';
import { startSweeper } from './sweeper.ts';
import { createTopologyGate, type TopologyGate } from './topology-gate.ts';
import { unavailable } from './trouble.ts';
import { createWaiters } from './waiters.ts';
import { createWriteBehind } from './write-behind.ts';
import { createWriteMany } from './write-many.ts';
import { createWriteThrough } from './write-through.ts';
import { createWriteTogether } from './write-together.ts';

/** Kept back for the connections to close, from what closing may take. */
const CLOSE_CONNECTIONS_MS = 500;

/**
 * Connects to Redis, PostgreSQL and Temporal, each in the background and again and again, and starts the background work.
 * Until the topology was compared with PostgreSQL once, every use case is `dependency-unavailable`.
 * @param deps.onFatal called where the process must not go on: the settings contradict what is recorded, or Redis may
 *   evict what it must keep. That may show only when PostgreSQL or Redis come up.
 * @throws SettingsError where the settings for TLS or an API key of Temporal cannot be used.
 */
export function createHoldfast(deps: {
  readonly environment: Environment;
  readonly collections: Collections;
  /** For their rate limits. */
  readonly keys: readonly ApiKey[];
  readonly metrics: ServiceMetrics;
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
  readonly onFatal: (error: SettingsError) => void;
}): Holdfast {
  const { environment, collections, keys, metrics, tracing, log, onFatal } = deps;
  const temporal = connectTemporal({ environment, interceptor: tracing?.client });
  const database = createDatabase({
    url: environment.DATABASE_URL,
    poolSize: environment.POSTGRES_POOL_SIZE,
    timeoutMs: environment.POSTGRES_TIMEOUT_MS,
    applicationName: 'holdfast-api',
    tracing,
  });
  const checkRedis = createRedisCheck(log, onFatal);
  const redis = connectRedis({
    url: environment.REDIS_URL,
    timeoutMs: environment.REDIS_TIMEOUT_MS,
    name: 'holdfast-api',
    onError: (error) => log.debug({ err: error }, 'Redis connection'),
    onConnected: () => {
      checkRedis(redis);
      suspicion.active();
    },
    tracing,
  });
  const { db } = database;
  const ctx: Context = {
    ...{ environment, redis, temporal, db, metrics, tracing, log },
    installation: createInstallationReader(db),
    readRecord: createRecordReader(db, environment.POSTGRES_TIMEOUT_MS),
    commitEntry: createSharedCommits(db, environment.POSTGRES_TIMEOUT_MS),
  };
  const suspicion = createSuspicion(ctx);
  const known = createEpochs(ctx);
  const topology = createTopologyGate(ctx, {
    beforeOpen: async () => void (await Promise.all([suspicion.learn(), known.learn()])),
    onFatal,
    onOpen() {
      void checkFsync(ctx);
      // Begins the recovery of what has no epoch yet, before the first request has to wait for it.
      for (let partition = 0; partition < environment.PARTITIONS; partition++) flusher.wake(partition);
    },
  });

  const epochs = behind(topology, known);
  const batches = createPendingBatches(ctx);
  const waiters = createWaiters();
  const offers = createOffers(ctx, waiters);
  const flusher = createFlusher(ctx, epochs, offers, waiters);
  const patience = createRedisPatience(redis);
  const slots = createSlotLookups(ctx);
  const cache = createCacheAccess(ctx, { epochs, patience });
  const sources = createSources(ctx, { epochs, batches, slots, suspicion });
  const settling = createSettling(ctx, { waiters, flusher });
  const reader = createReader(ctx, { cache, sources, settling, suspicion });
  const repairs = createCacheRepairs(ctx);
  const direct = createDirectWrites(ctx, { repairs, slots });
  const acknowledge = createAcknowledge(ctx, { waiters, flusher });
  const writeBehind = createWriteBehind(ctx, { epochs, reader, acknowledge, direct, patience, suspicion });
  const stageMany = createStageMany(ctx, { epochs, acknowledge });
  const writeThrough = createWriteThrough(ctx, { epochs, direct, patience });
  const explain = createExplain(ctx, { epochs, batches, slots });
  const stopFollowing = followBatches(ctx, epochs, waiters, flusher);
  const stopSweeping = startSweeper(ctx, epochs);
  const rateLimits = startRateLimits(ctx, rateLimitsOf(keys, environment));
  const deadLetters = createDeadLetters(ctx, repairs);
  const health = createHealth(ctx, topology);
  const summary = createSummary(ctx);
  const writer = { 'write-behind': writeBehind, 'write-through': writeThrough };
  const write: Pick<Holdfast, 'put' | 'delete' | 'increment'> = {
    put: (collection, key, value, options) => writer[collection.mode].write(collection, key, value, options),
    delete: (collection, key, options) => writer[collection.mode].write(collection, key, null, options),
    increment: (collection, key, by, options) =>
      writer[collection.mode].increment(collection, key, by, options),
  };

  return {
    collections,
    operations: {
      summary,
      ...createBatches(ctx),
      listActions: (page) =>
        listActions(ctx.db, page).catch((error: unknown) => {
          throw unavailable(error);
        }),
      flush: createFlush(ctx, { epochs, flusher }),
      correctDeadLetter: createCorrection(ctx, { collections, read: reader.read, put: write.put }),
      ...createDraining(ctx, epochs),
      discardWrites: createDiscardWrites(ctx, epochs),
      ...deadLetters,
      async retryDeadLetter(id, decider, deadline) {
        await topology.pass(deadline.deadlineAt);
        return await deadLetters.retryDeadLetter(id, decider, deadline);
      },
    },
    rateLimits,
    payloads: createPayloads(environment),
    read: reader.read,
    readMany: createReadMany(ctx, { cache, sources, settling, suspicion }),
    list: createList(ctx),
    ...write,
    patch: createPatch(ctx, { reader, write: write.put }),
    writeMany: createWriteMany(write, stageMany, log),
    writeTogether: createWriteTogether(ctx, { epochs, through: writeThrough }),
    invalidate: createInvalidate(ctx, { epochs, through: writeThrough, sources }),
    explain,
    health,
    figures: createFigures({ health, summary, log }),
    async close(deadlineAt) {
      topology.stop();
      stopSweeping();
      rateLimits.stop();
      const flushBy = deadlineAt - CLOSE_CONNECTIONS_MS;
      await beforeDeadline(flusher.flush(flushBy), flushBy).catch((error: unknown) => {
        log.warn(
          { err: error },
          'not everything could be flushed before closing; other processes adopt the rest',
        );
      });
      flusher.stop();
      offers.stop();
      stopFollowing();
      const closed = Promise.allSettled([redis.close(), temporal.close(), database.close()]);
      // A statement that hangs would be waited for longer than whoever asked to stop has patience.
      await beforeDeadline(closed, deadlineAt).catch(() => {});
    },
  };
}

/** Use cases come to a partition through its epoch: here they wait for the topology. */
function behind(topology: TopologyGate, epochs: Epochs): Epochs {
  return {
    ...epochs,
    async use(partition, deadlineAt, work) {
      if (topology.problem() !== undefined) await topology.pass(deadlineAt);
      return await epochs.use(partition, deadlineAt, work);
    },
  };
}

async function checkFsync(ctx: Context): Promise<void> {
  const synced = await syncsToDisk(ctx.db).catch(() => true);
  if (synced) return;
  ctx.log.warn(
    'PostgreSQL runs with fsync=off: writes answered as "persisted" may be lost, and the database ruined, when its machine goes down. Set fsync to on wherever data matter',
  );
}
