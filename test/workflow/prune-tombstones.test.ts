import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PruneResult } from '../../activities/prune-tombstones.ts';
import { PRUNE_TOMBSTONES_WORKFLOW } from '../../config/temporal-names.ts';
import type { pruneTombstones } from '../../workflows/prune-tombstones.ts';
import { createHarness, type Harness, workflowBundle } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

/** Runs one pruning whose activity does this; answers its result, or rejects. */
async function run(activity: (attempt: number) => PruneResult): Promise<PruneResult> {
  const { client, nativeConnection } = harness.environment;
  const taskQueue = `test-${randomUUID()}`;
  let attempts = 0;
  const worker = await Worker.create({
    connection: nativeConnection,
    taskQueue,
    workflowBundle: await workflowBundle(),
    activities: { pruneTombstones: async () => activity(++attempts) },
  });
  return await worker.runUntil(async () => {
    const handle = await client.workflow.start<typeof pruneTombstones>(PRUNE_TOMBSTONES_WORKFLOW, {
      taskQueue,
      workflowId: taskQueue,
    });
    return await handle.result();
  });
}

it('answers what was pruned and how far, or why not', async () => {
  expect(await run(() => ({ pruned: 3, floor: 7 }))).toEqual({ pruned: 3, floor: 7 });
  const skipped = { pruned: 0, floor: 7, skipped: 'partition p00 must be recovered in Redis first' };
  expect(await run(() => skipped)).toEqual(skipped);
});

it('is tried again while PostgreSQL is away, for some minutes', async () => {
  const { environment } = harness;
  const began = await environment.currentTimeMs();
  const result = await run((attempt) => {
    if (attempt < 5) throw ApplicationFailure.retryable('connection refused', 'unreachable');
    return { pruned: 1, floor: 2 };
  });
  expect(result).toEqual({ pruned: 1, floor: 2 });
  expect((await environment.currentTimeMs()) - began).toBeGreaterThan(2 * 60_000);
});

it('fails in the end, and leaves the tombstones to the next run', async () => {
  let attempts = 0;
  const failing = run((attempt) => {
    attempts = attempt;
    throw ApplicationFailure.retryable('connection refused', 'unreachable');
  });
  await expect(failing).rejects.toThrow(WorkflowFailedError);
  expect(attempts).toBe(5);
});
