import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchId } from '../../domain/batch.ts';
import { followBatches } from '../../service/batch-events.ts';
import { replaceFence } from '../../storage/postgres/fence.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  gate,
  type Part,
  queued,
  type World,
  within,
} from './rules-fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld({ partitions: 2 });
});
afterEach(() => world.close());

/** Follows batches by asking alone: every message is lost. */
function followWithoutMessages({ ctx, epochs, waiters, flusher }: Part): () => void {
  return followBatches({ ...ctx, redis: { ...ctx.redis, subscribe() {} } }, epochs, waiters, flusher);
}

/** By then a batch that somebody waits for was asked about, twice. */
const asked = () => new Promise((resolve) => setTimeout(resolve, 700));

/** Runs `work` while nobody can read which entries were set aside: whoever asks waits. */
async function whileDeadLettersHang(part: Part, work: () => Promise<void>): Promise<void> {
  const { opened, open } = gate();
  const locked = gate();
  const holding = part.ctx.db.transaction().execute(async (trx) => {
    await sql`LOCK TABLE dead_letters IN ACCESS EXCLUSIVE MODE`.execute(trx);
    locked.open();
    await opened;
  });
  await locked.opened;
  try {
    await work();
  } finally {
    open();
    await holding;
  }
}

test('a batch that only PostgreSQL can tell about keeps no other from being told', async () => {
  const [part, other] = [await world.part({ POSTGRES_TIMEOUT_MS: '20000' }), await world.part()];
  const epoch = await epochOf(part);
  const stop = followWithoutMessages(part);
  try {
    await whileDeadLettersHang(part, async () => {
      // There is no batch of that number, which is what a released one looks like.
      const gone = part.waiters.wait(
        batchId(epoch, 0, 99),
        [{ collection: 'carts', key: 'gone', version: 2 }],
        'queued',
        4_000,
      );
      await asked();
      // Of the same partition and of another one.
      const keys = Array.from({ length: 8 }, (_, i) => `k${i}`);
      const waiting = keys.map((key) => part.behind.write(CARTS, key, '1', queued(3_500)));
      await Promise.all(keys.map((key) => other.behind.write(CARTS, `${key} too`, '1', cached())));
      expect(await other.flusher.flush(within(3_000))).toBe(true);
      for (const receipt of await Promise.all(waiting)) expect(receipt.state).toBe('queued');
      expect((await gone).level).toBe('timeout');
    });
  } finally {
    stop();
  }
});

test('what PostgreSQL could not tell at first is told once it can', async () => {
  const part = await world.part();
  const epoch = await epochOf(part);
  const stop = followWithoutMessages(part);
  try {
    const waits = (number: number) =>
      part.waiters.wait(
        batchId(epoch, 0, number),
        [{ collection: 'carts', key: `k${number}`, version: 2 }],
        'persisted',
        20_000,
      );
    let told: Promise<unknown> = Promise.resolve();
    await whileDeadLettersHang(part, async () => {
      told = Promise.all([waits(98), waits(99)]);
      await asked();
    });
    expect(await told).toMatchObject([{ level: 'persisted' }, { level: 'persisted' }]);
  } finally {
    stop();
  }
});

test('a batch that the fence refused is not told to be persisted: its outcome is unknown', async () => {
  const part = await world.part();
  const { db, redis } = part.ctx;
  const epoch = await epochOf(part);
  const write = { collection: 'carts', key: 'refused', version: 2 };
  const id = batchId(epoch, 0, 99);
  // A recovery that replaced the fence without this batch, and installed no epoch.
  await replaceFence(db, { partition: 0, expected: epoch, epoch: '7-other', adopted: [] });
  const mutations = [{ ...write, kind: 'document' as const, value: '1' }];
  const batch = { id, partition: 0, epoch, mutations };
  const { outcome } = await persistBatch(db, batch);
  if (outcome !== 'refused') throw new Error(outcome);
  await releaseBatch(redis, { batchId: id, partition: 0, entries: [write], setAside: [], outcome });
  const stop = followWithoutMessages(part);
  try {
    expect(await part.waiters.wait(id, [write], 'queued', 10_000)).toMatchObject({ level: 'unknown' });
  } finally {
    stop();
  }
});
