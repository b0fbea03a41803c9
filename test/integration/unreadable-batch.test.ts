import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId, WRITE_BEHIND_WORKFLOW } from '../../config/temporal-names.ts';
import { recoverPartition } from '../../service/recovery.ts';
import { CARTS, cached, createWorld, type World, within } from './rules-fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

test('a batch of a newer format stops a recovery, each time, with the advice to upgrade', async () => {
  const part = await world.part();
  await part.ctx.temporal.client.workflow.start(WRITE_BEHIND_WORKFLOW, {
    workflowId: slotWorkflowId(0, 2),
    taskQueue: part.ctx.temporal.taskQueue,
    args: [{ format: 99 }],
    memo: { batchId: '1-abc.p00.0', epoch: '1-abc', entries: 1 },
  });
  const trouble = {
    code: 'dependency-unavailable',
    message: expect.stringMatching(/write-behind:p00:s02.*newer version.*upgrade this process/),
    details: { dependency: 'temporal', retryAfterSeconds: 30 },
  };
  for (let again = 0; again < 2; again++) {
    await expect(part.behind.write(CARTS, 'k', '1', cached())).rejects.toMatchObject(trouble);
    await expect(part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) })).rejects.toMatchObject(trouble);
    await expect(
      recoverPartition(part.ctx, 0, { minEpochNumber: 0, seenVersion: 0, onFence: () => {} }),
    ).rejects.toThrow();
  }
  expect(await world.raw.exists('hf:{p00}:state')).toBe(0);
});
