import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { createDiscardWrites } from '../../service/discard-writes.ts';
import { createSummary } from '../../service/operations/summary.ts';
import { CARTS, cached, createWorld, type Part, type World, within } from './rules-fixture.ts';

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
