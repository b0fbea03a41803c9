import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NativeConnection, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/create-activities.ts';
import { createMaintenance } from '../activities/create-maintenance.ts';
import type { Environment } from '../config/environment.ts';
import { createDatabase } from '../storage/postgres/database.ts';
import {
  createInstallationReader,
  OtherInstallation,
  requireOwnBatch,
} from '../storage/postgres/installation.ts';
import { persistAndReport } from '../storage/postgres/persist-and-report.ts';
import { connectRedis } from '../storage/redis/client.ts';
import { type Release, releaseBatch } from '../storage/redis/release.ts';
import { connectTemporal } from '../storage/temporal/client.ts';
import type { WorkerMetrics } from '../telemetry/metrics.ts';
import type { WorkerTracing } from '../telemetry/worker-tracing.ts';
import { batchInLogs } from './batch-in-logs.ts';
import { dataConverter } from './data-converter.ts';
import {
  postgresDependency,
  redisDependency,
  scheduleDependency,
  temporalDependency,
} from './dependencies.ts';
import { workerTuning } from './options.ts';
import { schedulesOf } from './schedules.ts';
import { tellRedis } from './tell-redis.ts';
import { waitFor } from './wait-for.ts';
import { workflowCode } from './workflow-code.ts';

export interface RunWorkerOptions {
  readonly environment: Environment;
  readonly logger: Logger;
  readonly metrics: WorkerMetrics;
  /** Only where a collector is configured. */
  readonly tracing?: WorkerTracing | undefined;
  /** Aborted: end in good order, giving running attempts time to finish. */
  readonly signal: AbortSignal;
  /** Called once, when the worker takes tasks. */
  readonly onReady: () => void;
}

/** How long a first look at PostgreSQL and Redis may hold up the start, so that wrong credentials are told before any work. */
const FIRST_LOOK_MS = 3_000;
const CLOSE_MS = 2_000;

/**
 * Runs a worker until `signal` aborts. Waits for Temporal. Without PostgreSQL or Redis it starts all the same: batches
 * wait in their workflows, and this worker answers queries and operators about them meanwhile.
 * @throws StartError for a missing namespace or wrong credentials.
 */
export async function runWorker({
  environment,
  logger,
  metrics,
  tracing,
  signal,
  onReady,
}: RunWorkerOptions): Promise<void> {
  const database = createDatabase({
    url: environment.DATABASE_URL,
    poolSize: environment.POSTGRES_POOL_SIZE,
    timeoutMs: environment.POSTGRES_TIMEOUT_MS,
    applicationName: 'holdfast-worker',
    tracing: tracing?.store,
  });
  let redisTrouble: Error | undefined;
  const redis = connectRedis({
    url: environment.REDIS_URL,
    timeoutMs: environment.REDIS_TIMEOUT_MS,
    name: 'holdfast-worker',
    tracing: tracing?.store,
    onError: (error) => {
      redisTrouble = error;
    },
  });
  const temporal = connectTemporal({ environment, name: 'holdfast-worker' });
  const installation = createInstallationReader(database.db);
  /**
   * Asks PostgreSQL where it has not said it yet, and does not wait: without it, too, batches are released, and orders to drop copies
   * carried out. Redis then says whose it is.
   */
  function knownInstallation(): ReturnType<typeof installation.known> {
    const known = installation.known();
    if (known === undefined) installation().catch(() => {});
    return known;
  }
  knownInstallation();
  async function releaseOwn(release: Release): Promise<void> {
    const ours = knownInstallation();
    if (ours !== undefined) requireOwnBatch(release.batchId, ours);
    await releaseBatch(redis, release);
  }
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  let connection: NativeConnection | undefined;
  try {
    const options = { logger, signal: ending };
    const stores = Promise.all([
      waitFor(postgresDependency(database), options),
      waitFor(
        redisDependency(redis, () => redisTrouble),
        options,
      ),
    ]);
    stores.catch(() => {});
    connection = await waitFor(temporalDependency(environment), options);
    await Promise.race([stores, sleep(FIRST_LOOK_MS, undefined, { signal: ending })]);

    const { interceptorModules, ...code } = workflowCode({ traced: tracing !== undefined });
    const worker = await Worker.create({
      connection,
      namespace: environment.TEMPORAL_NAMESPACE,
      taskQueue: environment.TEMPORAL_TASK_QUEUE,
      identity: `holdfast-worker ${process.pid}@${hostname()}`,
      ...code,
      dataConverter: dataConverter(environment),
      ...workerTuning(environment),
      interceptors: {
        activity: tracing === undefined ? [batchInLogs] : [tracing.activity, batchInLogs],
        workflowModules: interceptorModules,
      },
      sinks: tracing?.sinks ?? {},
      activities: {
        ...createActivities({
          persist: (batch, attempt) =>
            persistAndReport(database.db, batch, { via: 'workflow', metrics, signal: attempt }),
          release: (release) =>
            releaseOwn(release).catch((error: unknown) => {
              metrics.releaseFailed();
              throw error;
            }),
          async invalidate({ partition, entries, installation: theirs }) {
            const ours = knownInstallation();
            if (ours !== undefined && theirs !== undefined && theirs !== ours) {
              throw new OtherInstallation('An order to drop cached copies');
            }
            await tellRedis({ redis, db: database.db }, { partition, entries, installation: theirs ?? ours });
          },
        }),
        ...createMaintenance({ environment, db: database.db, redis, temporal, metrics, log: logger }),
      },
    });
    const ended = worker.run();
    // Nothing waits for them, and a worker without them carries batches all the same.
    for (const schedule of schedulesOf(environment)) {
      const dependency = scheduleDependency(temporal, schedule, environment.TEMPORAL_TIMEOUT_MS);
      waitFor(dependency, options).catch((error: unknown) => {
        if (!ending.aborted) logger.error({ err: error }, `there is no schedule ${schedule.id}`);
      });
    }
    const shutdown = () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    };
    ending.addEventListener('abort', shutdown);
    if (ending.aborted) shutdown();
    else onReady();
    // Wrong credentials may show only later, when a store that was away comes up.
    await Promise.race([ended, stores.then(() => ended)]).catch(async (error: unknown) => {
      stop.abort();
      await ended;
      throw error;
    });
  } catch (error) {
    // Giving up the wait for something is how an early shutdown looks.
    if (!signal.aborted) throw error;
    if (!(error instanceof Error && error.name === 'AbortError'))
      logger.warn({ err: error }, 'did not end in good order');
  } finally {
    stop.abort();
    const closed = Promise.allSettled([
      connection?.close(),
      temporal.close(),
      redis.close(),
      database.close(),
    ]);
    // On a connection that hangs, the goodbye is never answered.
    await Promise.race([closed, sleep(CLOSE_MS, undefined, { ref: false })]);
  }
}
