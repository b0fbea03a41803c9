// Succeeds if Temporal has heard from a worker of this machine within the last minute: `node deploy/worker-health.mjs`.
// A process that runs but no longer polls (hung, shut out, wrong namespace) is not healthy.
import { hostname } from 'node:os';
import { Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';

const WORKFLOW_TASK_QUEUE = 1;
const DEADLINE_MS = 8_000;
/** Longer than one long poll, which Temporal ends after a minute. */
const SEEN_WITHIN_MS = 90_000;

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect({ ...connectionOptions, connectTimeout: DEADLINE_MS });
try {
  const { pollers } = await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.describeTaskQueue({
      namespace: namespace ?? 'default',
      taskQueue: { name: process.env.TEMPORAL_TASK_QUEUE || 'holdfast' },
      taskQueueType: WORKFLOW_TASK_QUEUE,
    }),
  );
  const alive = pollers.some(
    ({ identity, lastAccessTime }) =>
      // All of the name: worker-10 must not speak for worker-1.
      identity?.endsWith(`@${hostname()}`) &&
      Date.now() - Number(lastAccessTime?.seconds ?? 0) * 1_000 < SEEN_WITHIN_MS,
  );
  if (!alive) throw new Error('no worker of this machine polls the task queue');
} finally {
  await connection.close();
}
