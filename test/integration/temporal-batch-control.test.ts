import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { informOfDiscard, retryNow } from '../../storage/temporal/batch-control.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import { PERSISTED } from '../workflow/fake-activities.ts';
import { installQuietRuntime } from '../workflow/harness.ts';
import { batch, createQueue, SEALED_AT, type TestQueue } from './temporal-queue.ts';

let queue: TestQueue;
beforeAll(async () => {
  installQuietRuntime();
  queue = await createQueue();
});
afterAll(() => queue?.close());

const start = async (slot: number, number = 1): Promise<string> => {
  const started = await startBatch(queue.temporal, {
    batch: batch(number),
    slot,
    sealedAt: SEALED_AT,
    deadlineMs: 10_000,
  });
  return started.runId;
};
const discard = (slot: number, runId: string, deadlineMs: number, ids = ['carts/a']) =>
  informOfDiscard(
    queue.temporal,
    { workflowId: slotWorkflowId(0, slot), runId },
    { ids, reason: 'x' },
    deadlineMs,
  );
const failureOf = async (attempt: Promise<unknown>): Promise<HoldfastError> => {
  const error = await attempt.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof HoldfastError)) throw new Error('expected a HoldfastError', { cause: error });
  return error;
};

it('without a worker an update ends with a clear error, and is not done later behind the back of the caller', async () => {
  const error = await failureOf(discard(0, await start(0), 300));
  expect(error).toMatchObject({ code: 'dependency-unavailable', details: { dependency: 'temporal' } });
  const result = await queue.withWorker({}, () =>
    queue.temporal.client.workflow.getHandle(slotWorkflowId(0, 0)).result(),
  );
  expect(result).toMatchObject({ discarded: [] });
});

it('a discard and a retry do what they say', async () => {
  const runId = await start(1);
  let up = false;
  const persisted: number[] = [];
  const id = slotWorkflowId(0, 1);
  await queue.withWorker(
    {
      async persistBatch(request) {
        if (!up) throw new Error('connection refused');
        persisted.push(request.batch.mutations.length);
        return PERSISTED;
      },
    },
    async () => {
      await vi.waitFor(() => retryNow(queue.temporal, id, 'test', 5_000), 20_000);
      expect(await discard(1, runId, 5_000)).toMatchObject({ pending: 2 });
      expect(await discard(1, runId, 5_000)).toBeUndefined();
      const refused = await failureOf(discard(1, runId, 5_000, ['carts/a', 'carts/z']));
      expect(refused).toMatchObject({
        code: 'invalid-request',
        message: expect.stringMatching(/not pending/),
      });
      up = true;
      await queue.temporal.client.workflow.getHandle(id).result();
    },
  );
  expect(persisted).toEqual([2]);
});

it('a discard never reaches the next batch of the slot, which may hold newer writes of the same entries', async () => {
  const former = await start(2);
  let up = true;
  await queue.withWorker(
    {
      async persistBatch() {
        if (!up) throw new Error('connection refused');
        return PERSISTED;
      },
    },
    async () => {
      const { workflow } = queue.temporal.client;
      await workflow.getHandle(slotWorkflowId(0, 2), former).result();
      up = false;
      await start(2, 2);
      expect(await failureOf(discard(2, former, 5_000))).toMatchObject({ code: 'batch-not-found' });
      up = true;
      expect(await workflow.getHandle(slotWorkflowId(0, 2)).result()).toMatchObject({ discarded: [] });
    },
  );
});

it('a batch that is not open is refused', async () => {
  const error = await failureOf(retryNow(queue.temporal, slotWorkflowId(0, 9), 'test', 5_000));
  expect(error).toMatchObject({ code: 'batch-not-found' });
});
