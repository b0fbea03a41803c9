import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchProgress, confirmBatch } from '../../storage/redis/confirm.ts';
import { tellDecision } from '../../storage/redis/drain.ts';
import { EpochChanged } from '../../storage/redis/errors.ts';
import { raiseNewestFrom } from '../../storage/redis/invalidate.ts';
import { fill, inspect, lookup, stagedMutations } from '../../storage/redis/lookup.ts';
import { currentEpoch } from '../../storage/redis/recover.ts';
import { releaseBatch } from '../../storage/redis/release.ts';
import { SCRIPTS } from '../../storage/redis/scripts.ts';
import { adoptBatch, reslotBatch, type SealedBatch, sealBatch } from '../../storage/redis/seal.ts';
import { forgetEntries, recordRerun, sweepPage } from '../../storage/redis/sweep.ts';
import { stageWrite } from '../../storage/redis/write.ts';
import { settleEntry, voidEntry } from '../../storage/redis/write-through.ts';
import {
  entriesOf,
  openPartition,
  type RedisUnderTest,
  sealed,
  staged,
  startRedisUnderTest,
  type TestPartition,
} from '../support/redis-partition.ts';

const A = { collection: 'docs', key: 'a' };
/** These begin or end an epoch, or ask for it. */
const ABOUT_EPOCHS = ['hello', 'lock', 'renew', 'unlock', 'prepare', 'install'];
/** These run in whatever epoch is valid; their own tests see to it that one is. */
const IN_ANY_EPOCH = ['discard', 'invalidate', 'oldest', 'overview'];
/** Of no partition: rate limits. */
const OF_NO_PARTITION = ['exchange-demand'];

let redis: RedisUnderTest;
beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());

type Call = (p: TestPartition, epoch: string, offered: SealedBatch) => Promise<unknown>;
const CALLS: Record<string, Call> = {
  drain: ({ partition }, epoch) =>
    tellDecision(redis.store, partition, epoch, { sequence: 1, draining: true }),
  stage: (p, epoch) => stageWrite(redis.store, { ...A, kind: 'document', value: '2' }, p.options({ epoch })),
  lookup: ({ partition }, epoch) =>
    lookup(redis.store, A, {
      partition,
      epoch,
      token: 't',
      leaseMs: 60_000,
      writeThrough: false,
      durable: false,
    }),
  inspect: ({ partition }, epoch) => inspect(redis.store, A, { partition, epoch }),
  fill: ({ partition }, epoch) =>
    fill(
      redis.store,
      A,
      { version: 2, value: '1' },
      {
        partition,
        epoch,
        lease: 't',
        kind: 'document',
        ttlMs: 60_000,
      },
    ),
  void: ({ partition }, epoch) =>
    voidEntry(redis.store, A, {
      partition,
      epoch,
      notAfter: () => Number.MAX_SAFE_INTEGER,
      token: 't',
      blockMs: 60_000,
    }),
  settle: ({ partition }, epoch) =>
    settleEntry(
      redis.store,
      A,
      { token: 't', version: Number.MAX_SAFE_INTEGER - 1 },
      {
        partition,
        epoch,
        kind: 'document',
        value: '1',
        ttlMs: 60_000,
        committed: true,
      },
    ),
  unblock: ({ partition }, epoch) =>
    settleEntry(
      redis.store,
      A,
      { token: 't', version: Number.MAX_SAFE_INTEGER - 1 },
      {
        partition,
        epoch,
        kind: 'document',
        value: null,
        ttlMs: 60_000,
        committed: false,
      },
    ),
  seal: ({ partition }, epoch) =>
    sealBatch(redis.store, { partition, epoch, slots: 4, gatherMinMs: 0, gatherMaxMs: 0 }),
  adopt: ({ partition }, epoch) => adoptBatch(redis.store, { partition, epoch, olderThanMs: 0 }),
  reslot: (_p, epoch, { batch, slot }) => reslotBatch(redis.store, { ...batch, epoch }, slot),
  confirm: (_p, epoch, { batch, slot }) => confirmBatch(redis.store, { ...batch, epoch }, slot, 'run'),
  progress: ({ partition }, epoch, { batch }) => batchProgress(redis.store, partition, epoch, [batch.id]),
  release: ({ partition }, epoch, { batch }) =>
    releaseBatch(redis.store, {
      partition,
      epoch,
      batchId: batch.id,
      entries: entriesOf(batch),
      setAside: [],
      outcome: 'persisted',
    }),
  sweep: ({ partition }, epoch) => sweepPage(redis.store, { partition, epoch, olderThanMs: 0, cursor: '0' }),
  rerun: ({ partition }, epoch, { batch, slot }) =>
    recordRerun(redis.store, { partition, epoch }, { batchId: batch.id, slot, runId: 'ended' }, 'new'),
  staged: ({ partition }, epoch) => stagedMutations(redis.store, A, { partition, epoch }),
  newest: ({ partition }, epoch) =>
    raiseNewestFrom(redis.store, { partition, epoch }, Number.MAX_SAFE_INTEGER - 1),
  forget: ({ partition }, epoch, { batch }) =>
    forgetEntries(redis.store, { partition, epoch }, [{ id: 'docs/a', batchId: batch.id }]),
};

/** A partition in which every script would have something to do. */
async function busyPartition() {
  const p = await openPartition(redis);
  staged(await p.put('a', '1'));
  const offered = sealed(await p.seal());
  staged(await p.put('b', '1'));
  staged(await p.setCounter('c', '1'));
  return { p, offered };
}

test('every script is in these tables', () => {
  expect([...Object.keys(CALLS), ...ABOUT_EPOCHS, ...IN_ANY_EPOCH, ...OF_NO_PARTITION].sort()).toEqual(
    [...SCRIPTS.keys()].sort(),
  );
});

describe.each(Object.entries(CALLS))('%s', (_name, call) => {
  test('refuses another epoch, says which one is current, and changes nothing', async () => {
    const { p, offered } = await busyPartition();
    const before = await p.dump();
    for (const epoch of ['0-old', '99-future', `${p.epoch}x`, p.epoch.slice(0, -1)]) {
      const error = await call(p, epoch, offered).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(EpochChanged);
      expect(error).toMatchObject({ current: p.epoch });
    }
    expect(await p.dump()).toEqual(before);
  });

  test('refuses where Redis is another process than the one that was recovered, and changes nothing', async () => {
    const { p, offered } = await busyPartition();
    await redis.raw.hset(p.keys.state, 'run_id', '0'.repeat(40));
    const before = await p.dump();
    await expect(call(p, p.epoch, offered)).rejects.toMatchObject({ current: '' });
    expect(await p.dump()).toEqual(before);
  });

  test('refuses where the state is gone, and changes nothing', async () => {
    const { p, offered } = await busyPartition();
    await redis.raw.del(p.keys.state);
    const before = await p.dump();
    await expect(call(p, p.epoch, offered)).rejects.toMatchObject({ current: '' });
    expect(await p.dump()).toEqual(before);
  });

  test('runs after Redis has forgotten all scripts', async () => {
    const { p, offered } = await busyPartition();
    await redis.raw.script('FLUSH');
    await call(p, p.epoch, offered);
  });
});

test('a release that names no epoch needs one that is valid', async () => {
  const { p, offered } = await busyPartition();
  const release = () =>
    releaseBatch(redis.store, {
      partition: p.partition,
      batchId: offered.batch.id,
      entries: entriesOf(offered.batch),
      setAside: [],
      outcome: 'persisted',
    });
  await redis.raw.hset(p.keys.state, 'run_id', '0'.repeat(40));
  const before = await p.dump();
  await expect(release()).rejects.toMatchObject({ current: '' });
  expect(await p.dump()).toEqual(before);
});

test('many calls at once run once each after Redis has forgotten all scripts', async () => {
  const { p } = await busyPartition();
  await redis.raw.script('FLUSH');
  await Promise.all(Array.from({ length: 100 }, () => p.add('c', 1)));
  expect(await p.look('c', { collection: 'hits' })).toMatchObject({ state: { value: '101' } });
  await redis.raw.script('FLUSH');
  expect((await currentEpoch(redis.store, p.partition)).epoch).toBe(p.epoch);
});

test('every script begins with its flags, and shares no global with another', () => {
  for (const { source } of SCRIPTS.values()) {
    expect(source).toMatch(/^#!lua( flags=allow-oom)?\n/);
    expect(source).not.toMatch(/^function /m);
  }
});
