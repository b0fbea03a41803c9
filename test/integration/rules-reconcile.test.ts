import { sql } from 'kysely';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prune } from '../../activities/prune-tombstones.ts';
import { type ReconcileDeps, type ReconcileResult, reconcile } from '../../activities/reconcile-index.ts';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { startSweeper } from '../../service/sweeper.ts';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.ts';
import { sumOf } from '../support/prometheus-text.ts';
import { CARTS, cached, createWorld, type Part, type World, within } from './rules-fixture.ts';

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
});
afterEach(() => world.close());

const pass = (deps: Partial<ReconcileDeps> = {}): Promise<ReconcileResult> =>
  reconcile({ ...part.ctx, ...deps }, new AbortController().signal);
const handle = () => part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(0, 0));
const recorded = async () => Object.entries(await world.raw.hgetall('hf:{p00}:sent'));
const NOTHING = { partitions: 1, batches: 0, released: 0, queuedAgain: 0, forgotten: 0, skipped: [] };

/** A batch in slot 0, confirmed, and old enough to be looked at. */
async function queuedBatch(key = 'k'): Promise<void> {
  await part.behind.write(CARTS, key, '"precious"', cached());
  await part.flusher.flush(within(20_000));
  for (const [id, place] of await recorded()) {
    await world.raw.hset('hf:{p00}:sent', id, place.replace(/ \d+$/, ' 1'));
  }
}

test('a pass finds nothing to do where batches are on their way, and says what has to be recovered first', async () => {
  expect(await pass()).toMatchObject({ skipped: ['p00: it must be recovered in Redis first'] });
  await queuedBatch();
  expect(await pass()).toEqual({ ...NOTHING, batches: 1 });
  await world.raw.flushall();
  expect(await pass()).toEqual({ ...NOTHING, skipped: ['p00: it must be recovered in Redis first'] });
});

test('a pass queues a terminated batch again, redoes a lost release, and removes what names no batch', async () => {
  await queuedBatch();
  await handle().terminate('by a test');
  const metrics = createWorkerMetrics({ process: false });
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { runId: endedRunId } = await handle().describe();
  expect(await pass({ metrics, log })).toEqual({ ...NOTHING, batches: 1, queuedAgain: 1 });
  // No API process will find it any more: the worker tells, as they do.
  expect(sumOf(await metrics.scrape(), 'holdfast_rescues_total', '"workflow-restarted"')).toBe(1);
  expect(lines).toEqual([
    expect.objectContaining({
      level: 40,
      workflowId: slotWorkflowId(0, 0),
      endedRunId,
      writes: 1,
      msg: expect.stringContaining('ended with its writes inside'),
    }),
  ]);
  expect((await recorded())[0]?.[1]).toContain((await handle().describe()).runId);

  // Its release is lost: Redis has the records that it had before.
  const keys = ['hf:{p00}:sent', 'hf:{p00}:index'] as const;
  const before = await Promise.all(keys.map((key) => world.raw.hgetall(key)));
  await world.withWorker(() => handle().result());
  expect(await recorded()).toEqual([]);
  for (const [i, key] of keys.entries()) await world.raw.hset(key, before[i] ?? {});
  await world.raw.hset('hf:{p00}:index', 'carts/stray', '1-abc.p00.999');
  const [[id, place] = ['', '']] = await recorded();
  await world.raw.hset('hf:{p00}:sent', id, place.replace(/ \d+$/, ' 1'));
  expect(await pass()).toEqual({ ...NOTHING, batches: 1, released: 1, forgotten: 1 });
  expect(await recorded()).toEqual([]);
  expect(await world.raw.hlen('hf:{p00}:index')).toBe(0);
  expect(await pass()).toEqual(NOTHING);
});

test('that a batch was ended is told by whoever records its new run, also where another process started that and died', async () => {
  await queuedBatch();
  await handle().terminate('by a test');
  const dying = await world.part();
  dying.before('rerun', () => {
    throw new Error('the process died');
  });
  await reconcile(dying.ctx, new AbortController().signal);
  const metrics = createWorkerMetrics({ process: false });
  expect(await pass({ metrics })).toEqual({ ...NOTHING, batches: 1, queuedAgain: 1 });
  expect(sumOf(await metrics.scrape(), 'holdfast_rescues_total', '"workflow-restarted"')).toBe(1);
  expect((await recorded())[0]?.[1]).toContain((await handle().describe()).runId);
});

test('passes and the sweepers of processes that run at once queue a batch again once', async () => {
  await queuedBatch();
  await handle().terminate('by a test');
  const others = [await world.part(), await world.part()];
  const stops = others.map(({ ctx, epochs }) => startSweeper(ctx, epochs));
  const passes = await Promise.all([pass(), pass(), pass()]);
  expect(passes.reduce((sum, { queuedAgain }) => sum + queuedAgain, 0)).toBeLessThanOrEqual(1);
  const { runId } = await handle().describe();
  await until(async () => (await recorded())[0]?.[1].includes(runId), { what: 'the run', timeoutMs: 20_000 });
  for (const stop of stops) stop();
  await world.withWorker(() => handle().result());
  const { rows } = await sql<{ key: string }>`SELECT key FROM documents`.execute(part.ctx.db);
  expect(rows).toEqual([{ key: 'k' }]);
});

test('the record of a refused batch goes when it is old and no slot holds it any more', async () => {
  await queuedBatch();
  const [[inSlot] = ['']] = await recorded();
  await sql`INSERT INTO refused_batches (batch_id, partition, refused_at) VALUES
    (${inSlot}, 0, now() - interval '2 days'), ('1-old.p00.1', 0, now() - interval '2 days'),
    ('1-new.p00.2', 0, now())`.execute(part.ctx.db);
  expect(await prune(part.ctx, new AbortController().signal)).toMatchObject({ refused: 1 });
  const { rows } = await sql<{ batch_id: string }>`SELECT batch_id FROM refused_batches ORDER BY 1`.execute(
    part.ctx.db,
  );
  expect(rows.map(({ batch_id }) => batch_id)).toEqual([inSlot, '1-new.p00.2'].sort());
});
