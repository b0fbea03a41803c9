import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { createDiscardWrites } from '../../service/discard-writes.ts';
import { createBatches } from '../../service/operations/batches.ts';
import { createSummary } from '../../service/operations/summary.ts';
import { createNamespace } from '../support/services.ts';
import { CARTS, cached, createWorld, type Part, type World, within } from './rules-fixture.ts';
import { sealOnly } from './rules-steps.ts';

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
});
afterEach(() => world.close());

const write = async (value: string) => {
  const { version } = await part.behind.write(CARTS, 'k', value, cached());
  await part.flusher.flush(within(20_000));
  return version;
};
const explain = () => part.explain(CARTS, 'k', { deadlineAt: within(20_000) });

test('not everything is persisted while an older write of an entry waits whose newer one was discarded', async () => {
  const first = await write('1');
  const second = await write('2');
  const discard = createDiscardWrites(part.ctx, part.epochs);
  const { entries, cacheTold } = await discard(
    slotWorkflowId(0, 1),
    { entries: [{ collection: 'carts', key: 'k' }], reason: 'a test', by: 'a test' },
    { deadlineAt: within(20_000) },
  );
  expect([entries[0]?.outcome, cacheTold]).toEqual(['discarded', true]);
  expect(await createSummary(part.ctx)()).toMatchObject({
    pendingEntries: 0,
    stagedEntries: 0,
    allPersisted: false,
    batches: { persisting: 2 },
  });
  expect(await explain()).toMatchObject({
    setAside: [second],
    winner: 'pending',
    pending: { version: first, value: '1', where: 'temporal', workflowId: slotWorkflowId(0, 0) },
  });
});

test('a batch that Redis names and Temporal does not know counts, with its age, and nobody is told that it is settled', async () => {
  await write('1');
  // As with a wrong address or namespace, or where the database of Temporal was restored to an earlier time.
  const { ctx, epochs } = await world.part({ TEMPORAL_NAMESPACE: await createNamespace() });
  const summary = await createSummary(ctx)();
  expect(summary).toMatchObject({
    allPersisted: false,
    pendingEntries: 1,
    batches: { persisting: 0, unknown: 1 },
    notInTemporal: 1,
    unknown: [
      { dependency: 'temporal', problem: expect.stringMatching(/does not know 1 batch .*NAMESPACE/) },
    ],
  });
  expect(summary.oldestAgeSeconds).toBeGreaterThan(0);
  const workflowId = slotWorkflowId(0, 0);
  const { listBatches, showBatch, retryBatch } = createBatches(ctx);
  const soon = () => ({ deadlineAt: within(20_000) });
  const page = { after: '', limit: 10 };
  const unknown = { workflowId, state: 'unknown', runId: expect.any(String), uiUrl: null };
  expect((await listBatches(page, soon())).batches).toMatchObject([unknown]);
  expect((await listBatches({ ...page, state: 'unknown' }, soon())).batches).toHaveLength(1);
  const why = { code: 'batch-not-found', message: expect.stringMatching(/^Redis .*TEMPORAL_NAMESPACE/) };
  await expect(showBatch(workflowId, { after: 0, limit: 1 }, soon())).rejects.toMatchObject(why);
  await expect(retryBatch(workflowId, { by: 'a test' }, soon())).rejects.toMatchObject(why);
  const discarding = { entries: [{ collection: 'carts', key: 'k' }], reason: 'a test', by: 'a test' };
  await expect(createDiscardWrites(ctx, epochs)(workflowId, discarding, soon())).rejects.toMatchObject(why);
  await expect(showBatch(slotWorkflowId(0, 1), { after: 0, limit: 1 }, soon())).rejects.toMatchObject({
    message: expect.stringMatching(/^No batch /),
  });
});

test('of a batch that has yet to reach Temporal it is said so, and not that it is settled', async () => {
  await part.behind.write(CARTS, 'k', '1', cached());
  const { batch } = await sealOnly(part);
  const { ctx, epochs } = part;
  const workflowId = slotWorkflowId(0, 0);
  const { listBatches, showBatch, retryBatch } = createBatches(ctx);
  const soon = () => ({ deadlineAt: within(20_000) });
  expect((await listBatches({ after: '', limit: 10 }, soon())).batches).toMatchObject([
    { workflowId, batchId: batch.id, state: 'staged' },
  ]);
  const why = {
    code: 'batch-not-found',
    message: expect.stringMatching(/is staged in Redis.*offered to Temporal again by itself/),
  };
  await expect(showBatch(workflowId, { after: 0, limit: 1 }, soon())).rejects.toMatchObject(why);
  await expect(retryBatch(workflowId, { by: 'a test' }, soon())).rejects.toMatchObject(why);
  const discarding = { entries: [{ collection: 'carts', key: 'k' }], reason: 'a test', by: 'a test' };
  await expect(createDiscardWrites(ctx, epochs)(workflowId, discarding, soon())).rejects.toMatchObject(why);
});
