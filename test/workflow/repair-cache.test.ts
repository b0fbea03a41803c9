import { randomUUID } from 'node:crypto';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InvalidateInput } from '../../activities/create-activities.ts';
import { REPAIR_CACHE_WORKFLOW } from '../../config/temporal-names.ts';
import type { repairCache } from '../../workflows/repair-cache.ts';
import { createHarness, type Harness, workflowBundle } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

it('tells Redis once the commits are decided, however long Redis stays away, also when asked to cancel', async () => {
  const { client, nativeConnection } = harness.environment;
  const taskQueue = `test-${randomUUID()}`;
  const entries = [{ collection: 'carts', key: 'a', version: 3 }];
  const hour = 3_600_000;
  const notBefore = (await harness.environment.currentTimeMs()) + hour;
  const calls: { at: number; input: InvalidateInput }[] = [];
  const worker = await Worker.create({
    connection: nativeConnection,
    taskQueue,
    workflowBundle: await workflowBundle(),
    activities: {
      async invalidateEntries(input: InvalidateInput) {
        calls.push({ at: await harness.environment.currentTimeMs(), input });
        if (calls.length < 50) throw new Error('Redis is not connected');
      },
    },
  });
  await worker.runUntil(async () => {
    const handle = await client.workflow.start<typeof repairCache>(REPAIR_CACHE_WORKFLOW, {
      taskQueue,
      workflowId: taskQueue,
      args: [{ format: 1, partition: 0, entries, notBefore }],
    });
    await handle.cancel();
    await handle.result();
  });
  expect(calls).toHaveLength(50);
  expect(calls.every(({ at }) => at >= notBefore)).toBe(true);
  expect(calls[0]?.input).toEqual({ partition: 0, entries });
  // 49 waits that grow to five seconds each: it did not give up.
  expect((calls[49]?.at ?? 0) - notBefore).toBeGreaterThan(3 * 60_000);
});
