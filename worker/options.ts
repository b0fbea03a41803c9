import type { WorkerOptions } from '@temporalio/worker';
import type { Environment } from '../config/environment.ts';

/** How long running attempts may end by themselves after a shutdown was asked for; then they are cancelled and retried elsewhere. */
const SHUTDOWN_GRACE_MS = 10_000;

/** After this a shutdown is forced. Below the 30 s after which orchestrators kill. */
const SHUTDOWN_FORCE_MS = 20_000;

/**
 * Everything that tunes a worker, in one place.
 *
 * The load is many short workflows of one or two workflow tasks each, whose work is one database transaction.
 */
export function workerTuning(environment: Environment) {
  // A transaction holds a connection from start to end: more attempts at once than connections would only wait inside
  // their timeouts. Quick local attempts and regular ones draw from the same pool; each kind may use all of it, because
  // in normal running there are only local ones, and in trouble mostly regular ones.
  const attempts = environment.POSTGRES_POOL_SIZE;
  return {
    maxConcurrentActivityTaskExecutions: attempts,
    maxConcurrentLocalActivityExecutions: attempts,
    maxConcurrentActivityTaskPolls: Math.min(attempts, 5),

    // A workflow task is open while its local attempt runs, so there must be room for more tasks than attempts.
    maxConcurrentWorkflowTaskExecutions: Math.max(40, 2 * attempts),
    maxConcurrentWorkflowTaskPolls: 10,
    // First tasks of new workflows come through the non-sticky queue, and nearly every task here is a first one: with the
    // default ratio (0.2) two pollers of ten would carry the load.
    nonStickyToStickyPollRatio: 0.7,

    // A cached workflow holds its batch (up to BATCH_MAX_BYTES) a few times over. What falls out is replayed from its short
    // history when it is needed again, which costs little.
    maxCachedWorkflows: 200,

    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    shutdownForceTime: SHUTDOWN_FORCE_MS,
  } satisfies Partial<WorkerOptions>;
}
