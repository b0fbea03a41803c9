import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SettingsError } from '../../config/problem.ts';
import { until } from '../../dev/until.ts';
import { createDiscardWrites } from '../../service/discard-writes.ts';
import { createBatches } from '../../service/operations/batches.ts';
import { createSummary } from '../../service/operations/summary.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.ts';
import { runWorker } from '../../worker/run-worker.ts';
import { CARTS, cached, createWorld, epochOf, type Part, type World, within } from './rules-fixture.ts';

// Two installations, each with a Redis and a database of its own, that share a namespace and a task queue by mistake.
let world: World;
let other: World;
let part: Part;
let theirs: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
  other = await createWorld({ namespace: part.ctx.environment.TEMPORAL_NAMESPACE });
  theirs = await other.part();
});
afterEach(async () => {
  await other.close();
  await world.close();
});

const read = async (of: Part) =>
  (await of.reader.read(CARTS, 'k', { deadlineAt: within(20_000) })).state.value;

/** Waits until an attempt of our batch in the first slot failed with such a message. */
const failedFor = (message: RegExp) =>
  until(
    async () => {
      const { raw } = await part.ctx.temporal.within(5_000, ({ workflow }) =>
        workflow.getHandle('write-behind:p00:s00').describe(),
      );
      return message.test(raw.pendingActivities?.[0]?.lastFailure?.message ?? '');
    },
    { what: `an attempt that failed: ${message.source}`, timeoutMs: 20_000 },
  );

test('a worker of another installation leaves a batch alone, and the right one persists it', async () => {
  await part.behind.write(CARTS, 'k', '"ours"', cached());
  expect(await part.flusher.flush(within(20_000))).toBe(true);
  const { db } = part.ctx;
  await other.withWorker(() => failedFor(/another Holdfast installation/));
  expect(await theirs.ctx.db.selectFrom('refused_batches').selectAll().execute()).toEqual([]);
  await world.withWorker(() =>
    until(async () => (await db.selectFrom('documents').selectAll().execute()).length === 1, {
      what: 'the row',
    }),
  );
});

test('a recovery takes nothing of another installation for its own', async () => {
  await theirs.behind.write(CARTS, 'k', '"theirs"', cached());
  await theirs.flusher.flush(within(20_000));
  expect(await read(part)).toBeNull();
  await part.behind.write(CARTS, 'k', '"ours"', cached());
  await part.flusher.flush(within(20_000));
  await world.raw.flushall();
  expect(await read(part)).toBe('"ours"');
  await other.raw.flushall();
  expect(await read(theirs)).toBe('"theirs"');
});

test('a worker of another installation does not take its own Redis for the one that is to be told of a batch', async () => {
  await epochOf(theirs);
  await part.behind.write(CARTS, 'k', '"ours"', cached());
  await part.flusher.flush(within(20_000));
  await world.withWorker(async () => {
    // Until it is recovered, it takes no releases.
    await world.restartWithData();
    await failedFor(/must be recovered/);
  });
  await epochOf(part);
  expect(await world.raw.hlen('hf:{p00}:sent')).toBe(1);
  const stop = new AbortController();
  const worker = runWorker({
    environment: theirs.ctx.environment,
    logger: pino({ level: 'silent' }),
    metrics: createWorkerMetrics({ process: false }),
    signal: stop.signal,
    onReady: () => {},
  });
  try {
    await failedFor(/another Holdfast installation/);
  } finally {
    stop.abort();
    await worker;
  }
  await world.withWorker(() =>
    until(async () => (await world.raw.hlen('hf:{p00}:sent')) === 0, { what: 'the release' }),
  );
});

test('an operator is neither shown another installation’s batch, nor can retry it or discard its writes', async () => {
  await epochOf(part);
  await theirs.behind.write(CARTS, 'k', '"theirs"', cached());
  await theirs.flusher.flush(within(20_000));
  const batches = createBatches(part.ctx);
  const discard = createDiscardWrites(part.ctx, part.epochs);
  const slot = 'write-behind:p00:s00';
  const soon = () => ({ deadlineAt: within(10_000) });
  const entries = [{ collection: 'carts', key: 'k' }];
  const refused = {
    code: 'batch-not-found',
    message: expect.stringContaining('another Holdfast installation'),
  };
  await expect(batches.showBatch(slot, { after: 0, limit: 10 }, soon())).rejects.toMatchObject(refused);
  await expect(batches.retryBatch(slot, { by: 'me' }, soon())).rejects.toMatchObject(refused);
  await expect(discard(slot, { entries, reason: 'why', by: 'me' }, soon())).rejects.toMatchObject(refused);
  expect(await read(theirs)).toBe('"theirs"');
  // Without Redis whatever is in the slots counts.
  await world.redis.stop();
  expect((await batches.listBatches({ after: '', limit: 10 }, soon())).batches).toEqual([]);
  expect((await createSummary(part.ctx)()).batches.persisting).toBe(0);
  expect(
    (await createBatches(theirs.ctx).listBatches({ after: '', limit: 10 }, soon())).batches,
  ).toHaveLength(1);
});

test('another namespace than the one in which the batches wait is refused at the start', async () => {
  const wanted = { partitions: 1, slots: 4, namespace: 'elsewhere' };
  const refused = await recordTopology(part.ctx.db, wanted).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(SettingsError);
  expect((refused as SettingsError).message).toContain('TEMPORAL_NAMESPACE is elsewhere');
});
