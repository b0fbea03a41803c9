import { sql } from 'kysely';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { reconcile } from '../../activities/reconcile-index.ts';
import { SettingsError } from '../../config/problem.ts';
import { until } from '../../dev/until.ts';
import { batchId } from '../../domain/batch.ts';
import { createDiscardWrites } from '../../service/discard-writes.ts';
import { createHealth } from '../../service/health.ts';
import { createBatches } from '../../service/operations/batches.ts';
import { createSummary } from '../../service/operations/summary.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { OtherInstallationsRedis } from '../../storage/redis/errors.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { createWorkerMetrics } from '../../telemetry/worker-metrics.ts';
import { runWorker } from '../../worker/run-worker.ts';
import { tellRedis } from '../../worker/tell-redis.ts';
import { holding } from './postgres-fixture.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  ORDERS,
  type Part,
  type World,
  within,
} from './rules-fixture.ts';

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

describe('a process that was pointed at the Redis of another installation', () => {
  let strayed: Part;
  const refused = {
    code: 'dependency-unavailable',
    details: { dependency: 'redis' },
    message: expect.stringMatching(
      /holds the data of another Holdfast database.*Nothing was read or written.*Redis of its own.*FLUSHALL/,
    ),
  };
  const isRefused = async () => {
    await expect(read(strayed)).rejects.toMatchObject(refused);
    await expect(strayed.behind.write(CARTS, 'k', '"ours"', cached())).rejects.toMatchObject(refused);
    await expect(strayed.through.write(ORDERS, 'k', '"ours"', cached())).rejects.toMatchObject(refused);
  };
  const redisOf = async ({ ctx }: Part) =>
    (await createHealth(ctx, { problem: () => undefined })()).find((one) => one.dependency === 'redis');
  beforeEach(async () => {
    await theirs.behind.write(CARTS, 'k', '"theirs"', cached());
    strayed = await world.part({ REDIS_URL: other.redis.url });
  });

  test('reads and writes nothing there, says so to everybody, and recovers nothing', async () => {
    const before = await other.raw.dump('hf:{p00}:state');
    await isRefused();
    const problem = expect.stringContaining('another Holdfast database');
    expect(await redisOf(strayed)).toMatchObject({ ok: false, problem, stopsAll: true });
    expect(await createSummary(strayed.ctx)()).toMatchObject({
      allPersisted: null,
      pendingEntries: null,
      unknown: [{ dependency: 'redis', problem }],
    });
    const page = { after: '', limit: 10 };
    await expect(
      createBatches(strayed.ctx).listBatches(page, { deadlineAt: within(10_000) }),
    ).rejects.toMatchObject(refused);
    expect(await other.raw.dump('hf:{p00}:state')).toEqual(before);
    expect(await redisOf(theirs)).toMatchObject({ ok: true });
    expect(await read(theirs)).toBe('"theirs"');
  });

  test('is not the worker’s to reconcile either', async () => {
    await theirs.flusher.flush(within(20_000));
    for (const [id, place] of Object.entries(await other.raw.hgetall('hf:{p00}:sent'))) {
      await other.raw.hset('hf:{p00}:sent', id, place.replace(/ \d+$/, ' 1'));
    }
    expect(await reconcile(strayed.ctx, new AbortController().signal)).toMatchObject({
      batches: 0,
      skipped: ['p00: Redis holds the data of another Holdfast database'],
    });
  });

  test('tells it nothing of batches and entries of its own', async () => {
    await epochOf(part);
    const { installation, redis, db } = strayed.ctx;
    const entries = [{ collection: 'carts', key: 'k', version: (Date.now() + 60_000) * 1_000 }];
    const before = await other.raw.dump('hf:{p00}:state');
    const batch = batchId(await epochOf(part), 0, 0);
    const release = { batchId: batch, partition: 0, entries, setAside: [], outcome: 'persisted' } as const;
    await expect(releaseBatch(redis, release)).rejects.toBeInstanceOf(OtherInstallationsRedis);
    const order = { partition: 0, entries, installation: await installation() };
    await expect(tellRedis({ redis, db }, order)).rejects.toThrow(
      /another Holdfast database.*nothing is lost/,
    );
    expect(await other.raw.dump('hf:{p00}:state')).toEqual(before);
    expect(await other.raw.get('hf:{p00}:e:carts/k')).toContain('"theirs"');
    // Until Redis is told, processes that start hold copies against rows.
    const { rows } = await sql<{ until: number }>`SELECT around_until AS until FROM partition_clocks`.execute(
      db,
    );
    expect(rows[0]?.until).toBeGreaterThan(Date.now() * 1_000);
  });

  test('leaves the recovery to its owner, too', async () => {
    await other.restartWithData();
    await isRefused();
    const problem = expect.stringContaining('another Holdfast database');
    expect(await redisOf(strayed)).toMatchObject({ ok: false, problem });
    expect((await createSummary(strayed.ctx)()).unknown).toMatchObject([{ dependency: 'redis', problem }]);
    expect(await read(theirs)).toBe('"theirs"');
    await isRefused();
  });

  test('refuses what its owner recovered while it was about to recover it itself', async () => {
    const state = await other.raw.hgetall('hf:{p00}:state');
    await other.raw.flushall();
    // Its state is there again when the lock is taken, and it has lost its memory.
    strayed.before('lock', async () => {
      await other.raw.hset('hf:{p00}:state', state);
      await other.restartWithData();
    });
    await expect(read(strayed)).rejects.toMatchObject(refused);
    expect(await read(theirs)).toBeNull();
  });

  test('goes on once it was emptied', async () => {
    await isRefused();
    await other.raw.flushall();
    await until(() => read(strayed).then((value) => value === null), { what: 'an answer' });
    await strayed.behind.write(CARTS, 'k', '"ours"', cached());
    expect(await read(strayed)).toBe('"ours"');
    await expect(read(theirs)).rejects.toMatchObject(refused);
  });

  test('finds out late where PostgreSQL is away, and then ends what it began', async () => {
    const release = await holding(part.ctx.db, sql`LOCK TABLE installation IN ACCESS EXCLUSIVE MODE`);
    const fresh = await world.part({ REDIS_URL: other.redis.url, POSTGRES_TIMEOUT_MS: '10000' });
    const taken = await epochOf(fresh);
    expect(taken).toBe(await epochOf(theirs));
    await release();
    await until(
      () =>
        read(fresh).then(
          () => false,
          () => true,
        ),
      { what: 'a refusal' },
    );
    await expect(read(fresh)).rejects.toMatchObject(refused);
  });
});

test('a Redis that was empty, and of which each took a partition, is well for neither', async () => {
  const both = { PARTITIONS: '2' };
  const ours = await world.part(both);
  const strayed = await other.part({ ...both, REDIS_URL: world.redis.url });
  for (const { ctx } of [ours, strayed])
    await sql`INSERT INTO partition_clocks (partition) VALUES (1)`.execute(ctx.db);
  await ours.epochs.use(0, within(10_000), async () => {});
  await strayed.epochs.use(1, within(10_000), async () => {});
  for (const { ctx } of [ours, strayed]) {
    const dependencies = await createHealth(ctx, { problem: () => undefined })();
    expect(dependencies.find(({ dependency }) => dependency === 'redis')).toMatchObject({
      ok: false,
      problem: expect.stringContaining('another Holdfast database'),
    });
  }
});

test('a database that has its name from a later migration than its Redis takes the former one, and what waited is its own', async () => {
  // Restored from a backup that has no name: the migration gave it another one.
  await theirs.behind.write(CARTS, 'k', '"ours"', cached());
  await theirs.flusher.flush(within(20_000));
  const former = (await other.raw.hget('hf:{p00}:state', 'epoch'))?.slice(2, 10) ?? '';
  await sql`UPDATE installation SET id = ${former}`.execute(part.ctx.db);
  await other.raw.flushall();
  const restored = await world.part({ REDIS_URL: other.redis.url }, { alive: true });
  expect(await read(restored)).toBe('"ours"');
  await world.withWorker(() =>
    until(async () => (await part.ctx.db.selectFrom('documents').selectAll().execute()).length === 1, {
      what: 'the row',
    }),
  );
});

test('another namespace than the one in which the batches wait is refused at the start', async () => {
  const wanted = { partitions: 1, slots: 4, namespace: 'elsewhere' };
  const refused = await recordTopology(part.ctx.db, wanted).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(SettingsError);
  expect((refused as SettingsError).problems).toEqual([
    expect.stringMatching(
      /TEMPORAL_NAMESPACE is elsewhere, .*run "npm run migrate" with elsewhere, then start with elsewhere/,
    ),
  ]);
});
