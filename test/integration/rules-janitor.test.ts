import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId, WRITE_BEHIND_WORKFLOW } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { startSweeper } from '../../service/sweeper.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import { CARTS, cached, createWorld, epochOf, type Part, type World, within } from './rules-fixture.ts';

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
});
afterEach(() => world.close());

const handle = (runId?: string) => part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(0, 0), runId);
const recorded = async () => Object.entries(await world.raw.hgetall('hf:{p00}:sent'));
const rows = async () =>
  (
    await sql<{ key: string; value: string }>`SELECT key, value::text AS value FROM documents`.execute(
      part.ctx.db,
    )
  ).rows;

/** A batch in slot 0, confirmed; answers its id and its run. */
async function queuedBatch(): Promise<{ readonly id: string; readonly runId: string }> {
  await part.behind.write(CARTS, 'k', '"precious"', cached());
  await part.flusher.flush(within(20_000));
  const [[id, place] = ['', '']] = await recorded();
  return { id, runId: place.split(' ')[2] ?? '' };
}

async function sweeping<T>(work: () => Promise<T>): Promise<T> {
  const stop = startSweeper(part.ctx, part.epochs);
  try {
    return await work();
  } finally {
    stop();
  }
}

/** Waits until another run than this one is recorded, and answers it. */
function recordedRun(before: string): Promise<string> {
  const other = async () => {
    const run = (await recorded())[0]?.[1].split(' ')[2];
    return run !== before && run;
  };
  return until(other, { what: 'another run to be recorded', timeoutMs: 20_000 });
}

test('rule 20: the writes of a terminated batch are queued again under the same id in the same slot, and reach their rows', async () => {
  const { id, runId } = await queuedBatch();
  await handle().terminate('by a test');
  const again = await sweeping(() => recordedRun(runId));
  expect((await recorded()).map(([batch, place]) => [batch, place.split(' ')[0]])).toEqual([[id, '0']]);
  expect(await describeSlot(part.ctx.temporal, { partition: 0, slot: 0, deadlineMs: 5_000 })).toMatchObject({
    state: 'open',
    batchId: id,
    runId: again,
  });
  await world.withWorker(() => handle(again).result());
  expect(await rows()).toEqual([{ key: 'k', value: '"precious"' }]);
  // The release is part of it.
  expect(await recorded()).toEqual([]);
  expect(await world.raw.hlen('hf:{p00}:index')).toBe(0);
});

test('rule 20: a terminated batch is pending for readers, with and without the memory of Redis, until it is queued again', async () => {
  const { id } = await queuedBatch();
  await handle().terminate('by a test');
  await world.raw.del('hf:{p00}:e:carts/k');
  const read = () => part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) });
  expect((await read()).state.value).toBe('"precious"');
  await world.raw.flushall();
  expect((await read()).state.value).toBe('"precious"');
  expect((await recorded()).map(([batch]) => batch)).toEqual([id]);
});

test('rule 20: a janitor that dies after the start is followed by one that finds the new run', async () => {
  const { runId } = await queuedBatch();
  await handle().terminate('by a test');
  part.before('rerun', () => {
    throw new Error('the process died');
  });
  const again = await sweeping(() => recordedRun(runId));
  expect((await handle().describe()).runId).toBe(again);
  expect(part.sent.filter((script) => script === 'rerun')).toHaveLength(1);
});

test('a batch that was reset by hand is followed to its new run', async () => {
  const { runId } = await queuedBatch();
  // There is something to reset to only after a first workflow task, and PostgreSQL must not take the batch in it.
  await sql`ALTER TABLE documents RENAME TO away`.execute(part.ctx.db);
  await world.withWorker(() =>
    until(async () => (await handle().describe()).raw.pendingActivities?.length, {
      what: 'the batch to wait for PostgreSQL',
      timeoutMs: 20_000,
    }),
  );
  await sql`ALTER TABLE away RENAME TO documents`.execute(part.ctx.db);
  const { client } = part.ctx.temporal;
  await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: slotWorkflowId(0, 0), runId },
    reason: 'by a test',
    requestId: 'reset-1',
    // Of the first workflow task, after: started, task scheduled, task started.
    workflowTaskFinishEventId: 4 as never,
  });
  const { runId: resetRunId } = await handle().describe();
  expect(resetRunId).not.toBe(runId);
  expect(await sweeping(() => recordedRun(runId))).toBe(resetRunId);
  await world.withWorker(() => handle(resetRunId).result());
  expect(await rows()).toEqual([{ key: 'k', value: '"precious"' }]);
  expect(await recorded()).toEqual([]);
});

test('an ended batch waits while another workflow is open in its slot, and is queued again after that', async () => {
  const { id, runId } = await queuedBatch();
  await handle().terminate('by a test');
  const stranger = await part.ctx.temporal.client.workflow.start(WRITE_BEHIND_WORKFLOW, {
    workflowId: slotWorkflowId(0, 0),
    taskQueue: 'nobody',
    args: [],
    memo: { batchId: `${await epochOf(part)}.p00.900` },
  });
  await sweeping(async () => {
    const sweeps = () => part.sent.filter((script) => script === 'sweep').length;
    // Long enough to be old enough, and to be looked at.
    await until(() => sweeps() >= 5, { what: 'some rounds', timeoutMs: 20_000 });
    expect((await recorded())[0]?.[1]).toContain(runId);
    await stranger.terminate('by a test');
    const again = await recordedRun(runId);
    expect(await describeSlot(part.ctx.temporal, { partition: 0, slot: 0, deadlineMs: 5_000 })).toMatchObject(
      {
        batchId: id,
        runId: again,
      },
    );
  });
});
