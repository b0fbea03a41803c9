import { NativeConnection, Worker } from '@temporalio/worker';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { createActivities } from '../../activities/create-activities.ts';
import { type Environment, readEnvironment } from '../../config/environment.ts';
import type { Collection } from '../../domain/collection.ts';
import type { Epoch } from '../../domain/epoch.ts';
import { createAcknowledge } from '../../service/acknowledge.ts';
import { followBatches } from '../../service/batch-events.ts';
import { createCacheAccess } from '../../service/cache-access.ts';
import { createCacheRepairs } from '../../service/cache-repairs.ts';
import type { Context } from '../../service/context.ts';
import { createDirectWrites } from '../../service/direct-write.ts';
import { createEpochs, type Epochs } from '../../service/epochs.ts';
import { createExplain } from '../../service/explain.ts';
import { createFlusher, type Flusher } from '../../service/flusher.ts';
import type { Holdfast } from '../../service/holdfast.ts';
import { createInvalidate } from '../../service/invalidate.ts';
import { createOffers, type Offers } from '../../service/offer-batch.ts';
import { createPatch } from '../../service/patch.ts';
import { createPendingBatches } from '../../service/pending-batches.ts';
import { createReader, type Reader } from '../../service/read.ts';
import { createReadMany } from '../../service/read-many.ts';
import { createRedisPatience } from '../../service/redis-patience.ts';
import { createSettling } from '../../service/settling.ts';
import { createSlotLookups } from '../../service/slots.ts';
import { createSources } from '../../service/sources.ts';
import { createStageMany } from '../../service/stage-many.ts';
import { createSuspicion, type Suspicion } from '../../service/suspicion.ts';
import { createWaiters, type Waiters } from '../../service/waiters.ts';
import { createWriteBehind, type WriteBehind } from '../../service/write-behind.ts';
import { createWriteMany } from '../../service/write-many.ts';
import { createWriteThrough, type WriteThrough } from '../../service/write-through.ts';
import { createWriteTogether } from '../../service/write-together.ts';
import { createSharedCommits } from '../../storage/postgres/commit-shared.ts';
import { createDatabase as openDatabase } from '../../storage/postgres/database.ts';
import { createInstallationReader } from '../../storage/postgres/installation.ts';
import { migrateToLatest } from '../../storage/postgres/migrate.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { createRecordReader } from '../../storage/postgres/read-record.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { connectRedis, type RedisStore } from '../../storage/redis/client.ts';
import { batchProgress } from '../../storage/redis/confirm.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { createTogether } from '../../storage/redis/together.ts';
import { connectTemporal, type Temporal } from '../../storage/temporal/client.ts';
import { createApiMetrics } from '../../telemetry/api-metrics.ts';
import { dataConverter } from '../../worker/data-converter.ts';
import { createDatabase, createNamespace, services } from '../support/services.ts';
import { type RedisTestServer, startRedis } from '../support/services-redis.ts';
import { installQuietRuntime, workflowBundle } from '../workflow/harness.ts';

export const CARTS: Collection = {
  name: 'carts',
  mode: 'write-behind',
  kind: 'document',
  acknowledge: 'queued',
  reads: 'latest',
  cacheTtlSeconds: 600,
};
export const VIEWS: Collection = { ...CARTS, name: 'page-views', kind: 'counter', acknowledge: 'cached' };
export const ORDERS: Collection = {
  ...CARTS,
  name: 'orders',
  mode: 'write-through',
  acknowledge: 'persisted',
};

/** Called before or after a Redis script, or before a call to Temporal. Throwing takes the place of the answer. */
type Hook = () => Promise<void> | void;

/** One API process's parts in this process, with places to stop at. */
export interface Part {
  readonly ctx: Context;
  readonly epochs: Epochs;
  readonly waiters: Waiters;
  readonly offers: Offers;
  readonly flusher: Flusher;
  readonly reader: Reader;
  readonly behind: WriteBehind;
  readonly through: WriteThrough;
  readonly readMany: Holdfast['readMany'];
  readonly invalidate: Holdfast['invalidate'];
  readonly patch: Holdfast['patch'];
  readonly many: Holdfast['writeMany'];
  readonly together: Holdfast['writeTogether'];
  readonly suspicion: Suspicion;
  readonly explain: Holdfast['explain'];
  /** Runs `hook` the next time this script is about to be sent. */
  before(script: string, hook: Hook): void;
  /** Runs `hook` the next time this script has answered. */
  after(script: string, hook: Hook): void;
  /** Runs before every call to Temporal, until it is taken away. */
  temporalHook(hook: Hook | undefined): void;
  /** The scripts that were sent, in order. */
  readonly sent: string[];
}

export interface World {
  readonly redis: RedisTestServer;
  readonly raw: Redis;
  readonly databaseUrl: string;
  /**
   * The parts of one more process. They do nothing by themselves (no rounds, no messages) unless `alive`: then a test can
   * place every step.
   */
  part(env?: Readonly<Record<string, string>>, options?: { readonly alive?: boolean }): Promise<Part>;
  /** Runs a worker with the real activities until `done` has ended. */
  withWorker(done: () => Promise<unknown>): Promise<void>;
  /** What a restart of Redis with all its data looks like to the scripts. */
  restartWithData(): Promise<void>;
  close(): Promise<void>;
}

/** When a request made now must be answered. */
export function within(ms: number): number {
  return performance.now() + ms;
}

function hooked(
  store: RedisStore,
  before: Map<string, Hook>,
  after: Map<string, Hook>,
  sent: string[],
): RedisStore {
  const once = async (hooks: Map<string, Hook>, name: string) => {
    const hook = hooks.get(name);
    hooks.delete(name);
    await hook?.();
  };
  const run: RedisStore['run'] = (name, keys, args) => {
    sent.push(name);
    return store.run(name, keys, args);
  };
  const together = createTogether(run);
  async function hookedCall<T>(name: string, call: () => Promise<T>): Promise<T> {
    await once(before, name);
    const reply = await call();
    await once(after, name);
    return reply;
  }
  return {
    ...store,
    run: (name, keys, args) => hookedCall(name, () => run(name, keys, args)),
    together: (call) => hookedCall(call.script, () => together(call)),
  };
}

function hookedTemporal(temporal: Temporal, hook: () => Hook | undefined): Temporal {
  return {
    ...temporal,
    async within(ms, work) {
      await hook()?.();
      return await temporal.within(ms, work);
    },
  };
}

/** A Redis, a database and a namespace (of its own, if none is named), for parts of several processes at once. */
export async function createWorld(
  options: { slots?: number; partitions?: number; namespace?: string } = {},
): Promise<World> {
  const [redis, database, namespace] = await Promise.all([
    startRedis(),
    createDatabase(),
    options.namespace ?? createNamespace(),
  ]);
  const { slots = 4, partitions = 1 } = options;
  const closers: (() => unknown)[] = [];
  const raw = new Redis(redis.url);
  raw.on('error', () => {});
  const admin = openDatabase({ url: database.url, poolSize: 1, timeoutMs: 30_000, applicationName: 'test' });
  await migrateToLatest(admin.db);
  await recordTopology(admin.db, { partitions, slots, namespace });
  await admin.close();

  const environmentOf = (env: Readonly<Record<string, string>>): Environment =>
    readEnvironment({
      REDIS_URL: redis.url,
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: services().temporalAddress,
      TEMPORAL_NAMESPACE: namespace,
      SLOTS: String(slots),
      PARTITIONS: String(partitions),
      QUERY_TIMEOUT_MS: '50',
      CLOCK_TOLERANCE_MS: '1',
      SWEEP_INTERVAL_MS: '200',
      ...env,
    });

  const part: World['part'] = async (env = {}, { alive = false } = {}) => {
    const environment = environmentOf(env);
    const before = new Map<string, Hook>();
    const after = new Map<string, Hook>();
    const sent: string[] = [];
    let temporalHook: Hook | undefined;
    const store = connectRedis({
      url: environment.REDIS_URL,
      timeoutMs: environment.REDIS_TIMEOUT_MS,
      name: 'test',
    });
    const temporal = connectTemporal({ environment });
    const database_ = openDatabase({
      url: environment.DATABASE_URL,
      poolSize: 5,
      timeoutMs: environment.POSTGRES_TIMEOUT_MS,
      applicationName: 'test',
    });
    const ctx: Context = {
      environment,
      redis: hooked(store, before, after, sent),
      temporal: hookedTemporal(temporal, () => temporalHook),
      db: database_.db,
      installation: createInstallationReader(database_.db),
      readRecord: createRecordReader(database_.db, environment.POSTGRES_TIMEOUT_MS),
      commitEntry: createSharedCommits(database_.db, environment.POSTGRES_TIMEOUT_MS),
      metrics: createApiMetrics({ process: false, partitions: environment.PARTITIONS }).service,
      tracing: undefined,
      log: pino({ level: 'silent' }),
    };
    const epochs = createEpochs(ctx);
    const waiters = createWaiters();
    const offers = createOffers(ctx, waiters);
    const flusher = createFlusher(ctx, epochs, offers, waiters);
    const patience = createRedisPatience(store);
    const batches = createPendingBatches(ctx);
    const suspicion = createSuspicion(ctx);
    const slots = createSlotLookups(ctx);
    const cache = createCacheAccess(ctx, { epochs, patience });
    const sources = createSources(ctx, { epochs, batches, slots, suspicion });
    const settling = createSettling(ctx, { waiters, flusher });
    const reader = createReader(ctx, { cache, sources, settling, suspicion });
    const direct = createDirectWrites(ctx, { repairs: createCacheRepairs(ctx), slots });
    const acknowledge = createAcknowledge(ctx, { waiters, flusher });
    const stageMany = createStageMany(ctx, { epochs, acknowledge });
    const behind = createWriteBehind(ctx, { epochs, reader, acknowledge, direct, patience, suspicion });
    const through = createWriteThrough(ctx, { epochs, direct, patience });
    const writer = { 'write-behind': behind, 'write-through': through };
    const write: Pick<Holdfast, 'put' | 'delete' | 'increment'> = {
      put: (collection, key, value, options) =>
        writer[collection.mode].write(collection, key, value, options),
      delete: (collection, key, options) => writer[collection.mode].write(collection, key, null, options),
      increment: (collection, key, by, options) =>
        writer[collection.mode].increment(collection, key, by, options),
    };
    const unfollow = alive ? followBatches(ctx, epochs, waiters, flusher) : () => {};
    if (!alive) flusher.stop();
    closers.push(async () => {
      unfollow();
      flusher.stop();
      await Promise.allSettled([store.close(), temporal.close(), database_.close()]);
    });
    while (
      !(await store.ping().then(
        () => true,
        () => false,
      ))
    )
      await new Promise(setImmediate);
    return {
      ctx,
      epochs,
      waiters,
      offers,
      flusher,
      reader,
      behind,
      through,
      readMany: createReadMany(ctx, { cache, sources, settling, suspicion }),
      invalidate: createInvalidate(ctx, { epochs, through, sources }),
      patch: createPatch(ctx, { reader, write: write.put }),
      many: createWriteMany(write, stageMany, ctx.log),
      together: createWriteTogether(ctx, { epochs, through }),
      suspicion,
      explain: createExplain(ctx, { epochs, batches, slots }),
      sent,
      before: (script, hook) => before.set(script, hook),
      after: (script, hook) => after.set(script, hook),
      temporalHook: (hook) => {
        temporalHook = hook;
      },
    };
  };

  const withWorker: World['withWorker'] = async (done) => {
    installQuietRuntime();
    const environment = environmentOf({});
    const { ctx } = await part();
    const connection = await NativeConnection.connect({ address: environment.TEMPORAL_ADDRESS });
    try {
      const worker = await Worker.create({
        connection,
        namespace,
        taskQueue: environment.TEMPORAL_TASK_QUEUE,
        workflowBundle: await workflowBundle(),
        dataConverter: dataConverter(environment),
        activities: createActivities({
          persist: (batch, signal) => persistBatch(ctx.db, batch, { signal }),
          release: (release) => releaseBatch(ctx.redis, release),
          // No write goes around Redis here.
          invalidate: async () => {},
        }),
      });
      await worker.runUntil(done);
    } finally {
      await connection.close();
    }
  };

  return {
    redis,
    raw,
    databaseUrl: database.url,
    part,
    withWorker,
    async restartWithData() {
      await raw.hset('hf:{p00}:state', 'run_id', 'f'.repeat(40));
    },
    async close() {
      for (const close of closers.reverse()) await close();
      raw.disconnect();
      await redis.stop();
      await database.drop();
    },
  };
}

/** The current epoch of the only partition, after a recovery where there is none. */
export function epochOf({ ctx, epochs }: Part): Promise<Epoch> {
  return epochs.use(0, within(20_000), async (epoch) => {
    await batchProgress(ctx.redis, 0, epoch, []);
    return epoch;
  });
}

/** Options of a write that waits for nothing. */
export const cached = () => ({ deadlineAt: within(20_000), durability: 'cached' as const });
/** Options of a write that waits until Temporal has it, for so long. */
export const queued = (ms = 20_000) => ({ deadlineAt: within(ms), durability: 'queued' as const });

/** A promise and the means to settle it: a gate between two steps. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
