import { afterAll, beforeAll, expect, it } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import { isTemporalUnreachable } from '../../storage/temporal/errors.ts';
import { readInput, readResult } from '../../storage/temporal/history-events.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import { installQuietRuntime } from '../workflow/harness.ts';
import { batch, createQueue, SEALED_AT, type TestQueue } from './temporal-queue.ts';

const deadlineMs = 10_000;
let queue: TestQueue;
beforeAll(async () => {
  installQuietRuntime();
  queue = await createQueue();
});
afterAll(() => queue?.close());

const start = (number: number, slot: number) =>
  startBatch(queue.temporal, { batch: batch(number), slot, sealedAt: SEALED_AT, deadlineMs });
const describe = (slot: number) => describeSlot(queue.temporal, { partition: 0, slot, deadlineMs });
const handle = (slot: number) => queue.temporal.client.workflow.getHandle(slotWorkflowId(0, slot));

it('a batch offered twice is started once', async () => {
  const first = await start(1, 0);
  expect(first.outcome).toBe('started');
  expect(await start(1, 0)).toEqual(first);
  expect(await describe(0)).toEqual({
    state: 'open',
    batchId: '1-abc.p00.1',
    epoch: '1-abc',
    runId: first.runId,
  });
});

it('another batch in the slot is reported, and left alone', async () => {
  const first = await start(1, 1);
  expect(await start(2, 1)).toEqual({ outcome: 'slot-taken', batchId: '1-abc.p00.1', runId: first.runId });
  expect(await describe(1)).toMatchObject({ batchId: '1-abc.p00.1' });
});

it('a batch that was terminated is started again in its slot', async () => {
  const first = await start(1, 2);
  await handle(2).terminate('by a test');
  expect(await describe(2)).toMatchObject({ state: 'closed-unfinished', batchId: '1-abc.p00.1' });
  const again = await start(1, 2);
  expect(again.outcome).toBe('started');
  expect(again.runId).not.toBe(first.runId);
  expect(await describe(2)).toMatchObject({ state: 'open', runId: again.runId });
});

it('a slot is free for the next batch once its batch completed', async () => {
  const first = await start(1, 3);
  await queue.withWorker({}, () => handle(3).result());
  expect(await describe(3)).toMatchObject({ state: 'completed', batchId: '1-abc.p00.1' });
  expect(await start(2, 3)).toMatchObject({ outcome: 'started' });
  const run = { partition: 0, slot: 3, runId: first.runId, deadlineMs };
  expect(await readResult(queue.temporal, run)).toMatchObject({
    batchId: '1-abc.p00.1',
    outcome: 'persisted',
  });
  expect(await readInput(queue.temporal, run)).toMatchObject({ batchId: '1-abc.p00.1', sealedAt: SEALED_AT });
});

it('an open batch has an input and no result yet', async () => {
  const { runId } = await start(1, 4);
  const run = { partition: 0, slot: 4, runId, deadlineMs };
  const began = performance.now();
  expect(await readResult(queue.temporal, run)).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(2_000);
  expect((await readInput(queue.temporal, run))?.mutations).toEqual(batch(1).mutations);
});

it('a run that never was has neither input nor result', async () => {
  const run = { partition: 0, slot: 5, runId: '00000000-0000-4000-8000-000000000000', deadlineMs };
  expect(await describe(5)).toEqual({ state: 'none' });
  expect(await readInput(queue.temporal, run)).toBeUndefined();
  expect(await readResult(queue.temporal, run)).toBeUndefined();
});

it('the summary for the Web UI names collections, and no key or value', async () => {
  await start(1, 6);
  const summary = await (await handle(6).describe()).staticSummary();
  expect(summary).toBe('3 writes · carts, page-views · partition 0');
});

it('a deadline that passes says that the outcome is not known', async () => {
  const attempt = startBatch(queue.temporal, {
    batch: batch(1),
    slot: 7,
    sealedAt: SEALED_AT,
    deadlineMs: 0,
  });
  expect(isTemporalUnreachable(await attempt.catch((error: unknown) => error))).toBe(true);
});
