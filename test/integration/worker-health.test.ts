import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { until } from '../../dev/until.ts';
import { connectTemporal, type Temporal } from '../../storage/temporal/client.ts';
import { createNamespace, services } from '../support/services.ts';

const ROOT = join(import.meta.dirname, '..', '..');

let settings: Record<string, string>;
let temporal: Temporal;
beforeAll(async () => {
  settings = {
    TEMPORAL_ADDRESS: services().temporalAddress,
    TEMPORAL_NAMESPACE: await createNamespace(),
    TEMPORAL_TASK_QUEUE: `test-${randomUUID()}`,
  };
  temporal = connectTemporal({ environment: readEnvironment(settings) });
});
afterAll(() => temporal?.close());

const namespace = () => settings.TEMPORAL_NAMESPACE ?? '';
const taskQueue = () => ({ name: settings.TEMPORAL_TASK_QUEUE ?? '' });
const health = () =>
  promisify(execFile)(process.execPath, [join(ROOT, 'deploy', 'worker-health.mjs')], {
    env: { ...process.env, ...settings },
  }).then(
    () => 'healthy',
    (error: Error) => error.message,
  );

/** Polls as a worker does, until Temporal has noted it. */
async function poll(identity: string): Promise<void> {
  const { workflowService } = temporal.client;
  // It ends with the connection.
  temporal
    .within(60_000, ({ service }) =>
      service.pollWorkflowTaskQueue({ namespace: namespace(), taskQueue: taskQueue(), identity }),
    )
    .catch(() => {});
  const pollers = async () =>
    (
      await workflowService.describeTaskQueue({
        namespace: namespace(),
        taskQueue: taskQueue(),
        taskQueueType: 1,
      })
    ).pollers;
  await until(async () => (await pollers()).some((poller) => poller.identity === identity), {
    what: `Temporal to know ${identity}`,
  });
}

test('a worker of another machine whose name begins or ends like this one does not make this one healthy', async () => {
  await poll(`holdfast-worker 1@${hostname()}0`);
  await poll(`holdfast-worker 1@a-${hostname()}`);
  expect(await health()).toContain('no worker of this machine polls the task queue');
  await poll(`holdfast-worker 1@${hostname()}`);
  expect(await health()).toBe('healthy');
});
