import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type PruneDeps, type PruneResult, prune } from '../../activities/prune-tombstones.ts';
import { slotWorkflowId, WRITE_BEHIND_WORKFLOW } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import { entryId } from '../../domain/entry.ts';
import { partitionOf } from '../../domain/partition.ts';
import { readPruneFloor } from '../../storage/postgres/prune-tombstones.ts';
import { CARTS, cached, createWorld, type Part, type World, within } from './rules-fixture.ts';

const PARTITIONS = 2;
/** As small as the rule allows with these: a little more than a tenth of a second. */
const AGE = {
  TOMBSTONE_MIN_AGE_MS: '0',
  REQUEST_DEADLINE_MS: '100',
  // What is slow here is the machine.
  TEMPORAL_TIMEOUT_MS: '30000',
  REDIS_TIMEOUT_MS: '20000',
  POSTGRES_TIMEOUT_MS: '20000',
};
const HOUR_MICROS = 3_600_000_000;

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld({ partitions: PARTITIONS });
  part = await world.part(AGE);
  // Every partition is in use.
  for (const key of KEYS) await part.epochs.use(partitionOfKey(key), within(20_000), async () => {});
});
afterEach(() => world.close());

const partitionOfKey = (key: string) => partitionOf(entryId({ collection: 'carts', key }), PARTITIONS);
const keyOf = (partition: number) => {
  for (let i = 0; ; i++) if (partitionOfKey(`k${i}`) === partition) return `k${i}`;
};
/** One of each partition. */
const KEYS = [keyOf(0), keyOf(1)];

const pruneWith = (deps: Partial<PruneDeps> = {}): Promise<PruneResult> =>
  prune({ ...part.ctx, ...deps }, new AbortController().signal);

async function tombstone(key: string, version: number): Promise<void> {
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', ${key}, ${version}, NULL, true)`.execute(part.ctx.db);
}

async function left(): Promise<string[]> {
  const { rows } = await sql<{ key: string }>`SELECT key FROM documents WHERE deleted ORDER BY key`.execute(
    part.ctx.db,
  );
  return rows.map(({ key }) => key);
}

/** Waits until what has this version is old enough to be pruned. */
const ripe = (version: number) =>
  until(() => Date.now() * 1_000 > version + 150_000, { what: 'the age of a tombstone' });

/** A pending write, and tombstones on both sides of its version. */
async function pendingBetweenTombstones(key: string): Promise<void> {
  const { version } = await part.behind.write(CARTS, key, '1', cached());
  await tombstone('older', version - 1);
  await tombstone('newer', version + 1);
  await ripe(version + 1);
}

const flush = () => part.flusher.flush(within(20_000));

describe.each(KEYS.map((key, partition) => ({ partition, key })))(
  'rule 21, partition $partition',
  ({ partition, key }) => {
    test('nothing above the oldest version in Redis is pruned', async () => {
      await pendingBetweenTombstones(key);
      expect(await pruneWith()).toMatchObject({ pruned: 1 });
      expect(await left()).toEqual(['newer']);
    });

    test('nothing above the oldest version in a slot is pruned, until its batch is in PostgreSQL', async () => {
      await pendingBetweenTombstones(key);
      await flush();
      expect(await pruneWith()).toMatchObject({ pruned: 1 });
      expect(await left()).toEqual(['newer']);
      await world.withWorker(() =>
        part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(partition, 0)).result(),
      );
      expect(await pruneWith()).toMatchObject({ pruned: 1 });
      expect(await left()).toEqual([]);
    });

    test('a terminated workflow holds its batch as an open one does', async () => {
      await pendingBetweenTombstones(key);
      await flush();
      await part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(partition, 0)).terminate('by a test');
      expect(await pruneWith()).toMatchObject({ pruned: 1 });
      expect(await left()).toEqual(['newer']);
    });

    test('Redis is asked before the slots: a batch on its way from one to the other is not overlooked', async () => {
      await pendingBetweenTombstones(key);
      // Each partition is asked once.
      const move = async () => {
        part.before('oldest', async () => {
          part.before('oldest', () => {});
          await flush();
        });
      };
      await move();
      expect(await pruneWith()).toMatchObject({ pruned: 1 });
      expect(await left()).toEqual(['newer']);
    });

    test('a partition that must be recovered first stops everything, and is named', async () => {
      await tombstone('old', Date.now() * 1_000 - HOUR_MICROS);
      await world.raw.hset(`hf:{p0${partition}}:state`, 'run_id', '0'.repeat(40));
      expect(await pruneWith()).toEqual({
        pruned: 0,
        floor: 0,
        skipped: `partition p0${partition} must be recovered in Redis first`,
      });
      expect(await left()).toEqual(['old']);
    });

    test('a slot that holds something unreadable stops everything, and is named', async () => {
      await tombstone('old', Date.now() * 1_000 - HOUR_MICROS);
      const { client, taskQueue } = part.ctx.temporal;
      await client.workflow.start(WRITE_BEHIND_WORKFLOW, {
        workflowId: slotWorkflowId(partition, 3),
        taskQueue,
        args: [{ format: 3 }],
      });
      expect(await pruneWith()).toMatchObject({
        pruned: 0,
        skipped: expect.stringContaining(slotWorkflowId(partition, 3)),
      });
      expect(await left()).toEqual(['old']);
    });

    test('nothing above the clock of Redis is pruned: its next version may be anywhere above that', async () => {
      const behind = Date.now() * 1_000 - HOUR_MICROS;
      await tombstone('older', behind - 1);
      await tombstone('newer', behind + 1);
      const { redis } = part.ctx;
      // A Redis whose time is an hour behind that of PostgreSQL.
      const late: PruneDeps['redis'] = {
        ...redis,
        run: async (name, keys, args) =>
          name === 'oldest' && keys[0] === `hf:{p0${partition}}:state`
            ? ['ok', behind, '']
            : await redis.run(name, keys, args),
      };
      expect(await pruneWith({ redis: late })).toMatchObject({ pruned: 1 });
      expect(await left()).toEqual(['newer']);
    });
  },
);

describe('rule 21', () => {
  test('partitions that nobody writes to do not hold up the others', async () => {
    await tombstone('old', Date.now() * 1_000 - HOUR_MICROS);
    expect(await pruneWith()).toMatchObject({ pruned: 1 });
  });

  test('a tombstone stays for as long as a request may take, whatever the settings say, and for as long as they say', async () => {
    const version = Date.now() * 1_000 - 10_000_000;
    await tombstone('ten-seconds-old', version);
    const slow = await world.part({ ...AGE, REQUEST_DEADLINE_MS: '60000' });
    expect(await pruneWith({ environment: slow.ctx.environment })).toMatchObject({ pruned: 0 });
    const tolerant = await world.part({ ...AGE, CLOCK_TOLERANCE_MS: '60000' });
    expect(await pruneWith({ environment: tolerant.ctx.environment })).toMatchObject({ pruned: 0 });
    const asked = await world.part({ ...AGE, TOMBSTONE_MIN_AGE_MS: '60000' });
    expect(await pruneWith({ environment: asked.ctx.environment })).toMatchObject({ pruned: 0 });
    expect(await pruneWith()).toMatchObject({ pruned: 1, floor: version });
  });

  test('the recorded numbers of partitions and slots count, not those of the process', async () => {
    const key = KEYS[1] ?? '';
    // Gives the first slot back, behind the others: the next batch goes to the second one.
    await part.behind.write(CARTS, key, '0', cached());
    await flush();
    const first = part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(1, 0));
    await world.withWorker(() => first.result());
    await pendingBetweenTombstones(key);
    const environment = { ...part.ctx.environment, PARTITIONS: 1, SLOTS: 1 };
    expect(await pruneWith({ environment })).toMatchObject({ pruned: 1 });
    expect(await left()).toEqual(['newer']);
    await flush();
    expect(await pruneWith({ environment })).toMatchObject({ pruned: 0 });
    expect(await left()).toEqual(['newer']);
  });

  test('a Redis that does not answer stops everything, and is named', async () => {
    await tombstone('old', Date.now() * 1_000 - HOUR_MICROS);
    await world.redis.stop();
    expect(await pruneWith()).toMatchObject({
      pruned: 0,
      skipped: expect.stringMatching(/^Redis did not answer: /),
    });
    expect(await left()).toEqual(['old']);
  });

  test('a Temporal that does not answer stops everything, and is named', async () => {
    await tombstone('old', Date.now() * 1_000 - HOUR_MICROS);
    const away = await world.part({ ...AGE, TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const { temporal } = away.ctx;
    expect(await pruneWith({ temporal })).toMatchObject({
      pruned: 0,
      skipped: expect.stringMatching(/^the slots of partition p00 could not be asked: /),
    });
    expect(await left()).toEqual(['old']);
  });

  test('a database that no API process has used has nothing to prune', async () => {
    await sql`DELETE FROM topology`.execute(part.ctx.db);
    expect(await pruneWith()).toEqual({
      pruned: 0,
      floor: 0,
      skipped: 'no API process has used this database yet',
    });
  });

  test('what went before is kept in the answer of a pruning that does nothing', async () => {
    const version = Date.now() * 1_000 - HOUR_MICROS;
    await tombstone('old', version);
    expect(await pruneWith()).toEqual({ pruned: 1, floor: version });
    expect(await readPruneFloor(part.ctx.db)).toBe(version);
    await world.raw.flushall();
    expect(await pruneWith()).toMatchObject({ pruned: 0, floor: version });
  });
});
