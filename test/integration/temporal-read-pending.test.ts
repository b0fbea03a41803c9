import { WorkflowClient } from '@temporalio/client';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { type Pending, readPending } from '../../storage/temporal/read-pending.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import { installQuietRuntime, MUTATIONS } from '../workflow/harness.ts';
import { batch, createQueue, SEALED_AT, type TestQueue } from './temporal-queue.ts';

let queue: TestQueue;
beforeAll(async () => {
  installQuietRuntime();
  queue = await createQueue();
});
afterAll(() => queue?.close());

const start = (slot: number) =>
  startBatch(queue.temporal, { batch: batch(1), slot, sealedAt: SEALED_AT, deadlineMs: 10_000 });
const read = (slot: number, more: { runId?: string; via?: 'history' } = {}): Promise<Pending> =>
  readPending(queue.temporal, { partition: 0, slot, queryTimeoutMs: 500, deadlineMs: 10_000, ...more });
const handle = (slot: number) => queue.temporal.client.workflow.getHandle(slotWorkflowId(0, slot));
const batchId = '1-abc.p00.1';

async function down(): Promise<never> {
  throw new Error('connection refused');
}

it('without a worker the history answers, soon', async () => {
  const { runId } = await start(0);
  const began = performance.now();
  expect(await read(0)).toEqual({ state: 'open', batchId, runId, mutations: MUTATIONS, source: 'history' });
  expect(performance.now() - began).toBeLessThan(2_000);
});

it('the history can be asked at once', async () => {
  const { runId } = await start(1);
  const query = vi.spyOn(WorkflowClient.prototype, 'getHandle');
  expect(await read(1, { via: 'history', runId })).toMatchObject({ source: 'history', mutations: MUTATIONS });
  expect(query).toHaveBeenCalledTimes(1);
  query.mockRestore();
});

it('a full query buffer leads to the history, without waiting for the timeout of the query', async () => {
  const { runId } = await start(2);
  const began = performance.now();
  const request = { partition: 0, slot: 2, runId, queryTimeoutMs: 4_000, deadlineMs: 10_000 };
  const readers = Array.from({ length: 8 }, () => readPending(queue.temporal, request));
  await Promise.any(readers);
  expect(performance.now() - began).toBeLessThan(2_000);
  for (const answer of await Promise.all(readers)) {
    expect(answer).toMatchObject({ state: 'open', source: 'history', mutations: MUTATIONS });
  }
});

it('with a worker the batch itself answers, also about what was discarded', async () => {
  const { runId } = await start(3);
  await queue.withWorker({ persistBatch: down }, async () => {
    const answers = (source: 'query') =>
      vi.waitFor(async () => expect(await read(3)).toMatchObject({ source }), 20_000);
    await answers('query');
    expect(await read(3)).toEqual({ state: 'open', batchId, runId, mutations: MUTATIONS, source: 'query' });
    await handle(3).executeUpdate('discard', { args: [{ ids: ['carts/a'], reason: 'test' }] });
    await answers('query');
    expect(await read(3)).toMatchObject({ mutations: MUTATIONS.slice(1) });
  });
});

it('a completed batch has nothing pending', async () => {
  const { runId } = await start(4);
  await queue.withWorker({}, () => handle(4).result());
  expect(await read(4)).toEqual({ state: 'completed', batchId, runId });
  expect(await read(4, { runId, via: 'history' })).toEqual({ state: 'completed', batchId, runId });
});

it('a terminated batch still holds everything', async () => {
  const { runId } = await start(5);
  await handle(5).terminate('by a test');
  expect(await read(5)).toEqual({ state: 'closed-unfinished', batchId, runId, mutations: MUTATIONS });
});

it('an unused slot holds nothing', async () => {
  expect(await read(6)).toEqual({ state: 'none' });
});
