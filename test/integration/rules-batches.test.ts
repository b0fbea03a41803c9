import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import { until } from '../../dev/until.ts';
import type { Batch } from '../../domain/batch.ts';
import { startSweeper } from '../../service/sweeper.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import { listenToEvents } from '../support/redis-partition.ts';
import { services } from '../support/services.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { CARTS, cached, createWorld, epochOf, queued, type World, within } from './rules-fixture.ts';
import { sealOnly } from './rules-steps.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const WITHOUT_TEMPORAL = { TEMPORAL_ADDRESS: '127.0.0.1:1', DIRECT_PERSIST_AFTER_MS: '10' };

test('a direct persist answers persisted', async () => {
  await epochOf(await world.part());
  const part = await world.part(WITHOUT_TEMPORAL);
  const write = part.behind.write(CARTS, 'k', '1', queued());
  await until(() => world.raw.hlen('hf:{p00}:open'), { what: 'the staged write' });
  await part.flusher.flush(within(20_000));
  expect((await write).state).toBe('persisted');
});

test('rule 4: a direct persist whose release meets another epoch answers outcome-unknown, and releases in that one', async () => {
  const other = await world.part();
  await epochOf(other);
  const part = await world.part(WITHOUT_TEMPORAL);
  const write = part.behind.write(CARTS, 'k', '1', queued());
  const refused = expect(write).rejects.toMatchObject({ code: 'outcome-unknown' });
  await until(() => world.raw.hlen('hf:{p00}:open'), { what: 'the staged write' });
  part.before('release', async () => {
    await world.raw.flushall();
    await epochOf(other);
  });
  await part.flusher.flush(within(20_000));
  await refused;
  expect(part.sent.filter((script) => script === 'release')).toHaveLength(2);
  expect((await sql`SELECT 1 FROM documents`.execute(part.ctx.db)).rows).toHaveLength(1);
});

test('rule 5: the release of a direct persist is repeated until it is done, while its partition is recovered', async () => {
  const other = await world.part();
  await epochOf(other);
  const part = await world.part(WITHOUT_TEMPORAL);
  const events = await listenToEvents(world.redis.url);
  try {
    await part.behind.write(CARTS, 'k', '1', cached());
    part.before('release', () => world.raw.flushall().then(() => {}));
    const flushed = part.flusher.flush(within(20_000));
    await until(() => part.sent.filter((script) => script === 'release').length >= 3, {
      what: 'releases while no epoch is valid',
    });
    await epochOf(other);
    await flushed;
    const persisted = () => events.messages.filter((message) => message.startsWith('persisted '));
    await until(() => persisted().length > 0, { what: 'the message, on a connection of its own' });
    expect(persisted()).toHaveLength(1);
  } finally {
    events.close();
  }
});

test('rule 9: a batch whose slot turns out to be taken is queued in another, and confirm records that one', async () => {
  const part = await world.part();
  const epoch = await epochOf(part);
  const stranger: Batch = {
    id: `${epoch}.p00.900`,
    partition: 0,
    epoch,
    mutations: [{ collection: 'carts', key: 'x', kind: 'document', version: 2, value: '1' }],
  };
  for (const slot of [0, 1]) {
    await startBatch(part.ctx.temporal, {
      batch: { ...stranger, id: `${epoch}.p00.90${slot}` },
      slot,
      sealedAt: '2026-11-23T10:00:00.000Z',
      deadlineMs: 10_000,
    });
  }
  const write = part.behind.write(CARTS, 'k', '1', queued());
  await until(() => world.raw.hlen('hf:{p00}:open'), { what: 'the staged write' });
  await part.flusher.flush(within(20_000));
  expect((await write).state).toBe('queued');
  const [[id, place] = []] = Object.entries(await world.raw.hgetall('hf:{p00}:sent'));
  expect(place).toMatch(/^2 confirmed /);
  const found = await describeSlot(part.ctx.temporal, { partition: 0, slot: 2, deadlineMs: 10_000 });
  expect(found).toMatchObject({ state: 'open', batchId: id });
});

test('rule 9: news of a batch of the same number in another epoch are not news of this one', async () => {
  const part = await world.part();
  const before = await epochOf(part);
  const fate = part.waiters.wait(
    `${before}.p00.0`,
    [{ collection: 'carts', key: 'k', version: 2 }],
    'queued',
    3_000,
  );
  await world.raw.flushall();
  await part.behind.write(CARTS, 'k', '1', cached());
  await part.flusher.flush(within(20_000));
  expect((await fate).level).toBe('timeout');
});

test('rule 10: a start whose answer was lost is found and confirmed, and the write is queued', async () => {
  const proxy = await startTcpProxy({ port: Number(services().temporalAddress.split(':')[1]) });
  try {
    const part = await world.part({
      TEMPORAL_ADDRESS: `127.0.0.1:${proxy.port}`,
      DIRECT_PERSIST_AFTER_MS: '60000',
      TEMPORAL_TIMEOUT_MS: '1000',
    });
    await epochOf(part);
    const write = part.behind.write(CARTS, 'k', '1', queued());
    await until(() => world.raw.hlen('hf:{p00}:open'), { what: 'the staged write' });
    let calls = 0;
    part.temporalHook(() => {
      calls += 1;
    });
    proxy.hold('answer');
    const flushed = part.flusher.flush(within(20_000));
    // The first call has started the workflow and given up. The next one is a start of its own, not a repetition.
    await until(() => calls > 1, { what: 'another start' });
    proxy.forward();
    await flushed;
    expect((await write).state).toBe('queued');
    const direct = await world.part();
    const other = await describeSlot(direct.ctx.temporal, { partition: 0, slot: 1, deadlineMs: 5_000 });
    expect(other.state).toBe('none');
  } finally {
    await proxy.close();
  }
});

test('rule 11: sweeping leaves alone what was sealed and never started, and what was terminated; it releases what completed', async () => {
  const part = await world.part();
  const write = async (key: string) => {
    await part.behind.write(CARTS, key, '1', cached());
    await part.flusher.flush(within(20_000));
  };
  await write('terminated');
  await part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(0, 0)).terminate('by a test');
  // Its release goes to a Redis that forgot: as if it had been lost.
  await write('completed');
  const kept = {
    sent: await world.raw.hgetall('hf:{p00}:sent'),
    index: await world.raw.hgetall('hf:{p00}:index'),
  };
  await world.withWorker(() => part.ctx.temporal.client.workflow.getHandle(slotWorkflowId(0, 1)).result());
  await world.raw.hset('hf:{p00}:sent', kept.sent);
  await world.raw.hset('hf:{p00}:index', kept.index);
  for (const [id, place] of Object.entries(kept.sent)) {
    await world.raw.hset('hf:{p00}:sent', id, place.replace(/ \d+$/, ' 1'));
  }
  await part.behind.write(CARTS, 'sealed', '1', cached());
  part.before('confirm', () => {
    throw new Error('the process died');
  });
  const dying = await world.part(WITHOUT_TEMPORAL);
  await sealOnly(dying);
  const stop = startSweeper(part.ctx, part.epochs);
  try {
    await until(async () => (await world.raw.hexists('hf:{p00}:index', 'carts/completed')) === 0, {
      what: 'the release to be redone',
      timeoutMs: 20_000,
    });
    // The next round begins when this one has looked at every batch.
    const sweeps = () => part.sent.filter((script) => script === 'sweep').length;
    const before = sweeps();
    await until(() => sweeps() > before, { what: 'another round', timeoutMs: 20_000 });
  } finally {
    stop();
  }
  expect(Object.keys(await world.raw.hgetall('hf:{p00}:index')).sort()).toEqual([
    'carts/sealed',
    'carts/terminated',
  ]);
  expect(await world.raw.hlen('hf:{p00}:closed')).toBe(1);
  expect(await world.raw.lrange('hf:{p00}:free', 0, -1)).toEqual(['3', '1']);
});

test('a batch that two of its workflows hold at a recovery gives back both slots in the end', async () => {
  const part = await world.part();
  await part.behind.write(CARTS, 'k', '1', cached());
  await part.flusher.flush(within(20_000));
  // The start in the first slot was still under way when the batch went to another one.
  const [id = ''] = await world.raw.hkeys('hf:{p00}:sent');
  const content = (await part.reader.read(CARTS, 'k', { deadlineAt: within(5_000) })).state;
  await startBatch(part.ctx.temporal, {
    batch: {
      id,
      partition: 0,
      epoch: id.split('.')[0] ?? '',
      mutations: [{ collection: 'carts', key: 'k', kind: 'document', ...content }],
    },
    slot: 2,
    sealedAt: '2026-11-23T10:00:00.000Z',
    deadlineMs: 10_000,
  });
  await world.raw.flushall();
  await epochOf(part);
  const { workflow } = part.ctx.temporal.client;
  await world.withWorker(() =>
    Promise.all([
      workflow.getHandle(slotWorkflowId(0, 0)).result(),
      workflow.getHandle(slotWorkflowId(0, 2)).result(),
    ]),
  );
  expect((await world.raw.lrange('hf:{p00}:free', 0, -1)).sort()).toEqual(['0', '1', '2', '3']);
});

test('a Temporal that hangs, rather than refuses, does not cost a write its deadline', async () => {
  const proxy = await startTcpProxy({ port: Number(services().temporalAddress.split(':')[1]) });
  try {
    await epochOf(await world.part());
    const part = await world.part({
      TEMPORAL_ADDRESS: `127.0.0.1:${proxy.port}`,
      DIRECT_PERSIST_AFTER_MS: '500',
      TEMPORAL_TIMEOUT_MS: '2000',
    });
    const write = part.behind.write(CARTS, 'k', '1', queued(3_500));
    await until(() => world.raw.hlen('hf:{p00}:open'), { what: 'the staged write' });
    proxy.hold();
    await part.flusher.flush(within(20_000));
    expect((await write).state).toBe('persisted');
  } finally {
    await proxy.close();
  }
});

test('a write that nobody waits for is flushed after the flush interval, also when it was staged while a flush ended', async () => {
  const part = await world.part({ FLUSH_INTERVAL_MS: '30' }, { alive: true });
  await epochOf(part);
  // Right after the round that comes every second: the next one is far away.
  const rounds = () => part.sent.filter((script) => script === 'adopt').length;
  const before = rounds();
  await until(() => rounds() > before, { what: 'a round', everyMs: 1 });
  // Answered after the seal of that round.
  await epochOf(part);
  let staged = false;
  part.after('seal', async () => {
    await part.behind.write(CARTS, 'k', '1', cached());
    staged = true;
  });
  part.flusher.wake(0);
  await until(() => staged, { what: 'a write during a seal', everyMs: 1 });
  await until(async () => (await world.raw.hlen('hf:{p00}:open')) === 0, { what: 'the flush', everyMs: 5 });
  expect(rounds()).toBe(before + 1);
});

test('writes that come while a batch gathers, because slots are scarce, do not each ask for a seal', async () => {
  const part = await world.part({ GATHER_MAX_MS: '2000' }, { alive: true });
  const write = (key: string) => part.behind.write(CARTS, key, '1', queued());
  // Without a worker these keep half of the slots.
  await write('first');
  await write('second');
  const before = part.sent.length;
  const waiting: Promise<unknown>[] = [];
  for (let i = 0; i < 100; i++) {
    waiting.push(write(`k${i}`));
    await until(() => world.raw.exists(`hf:{p00}:e:carts/k${i}`), { what: 'the staged write', everyMs: 1 });
  }
  await Promise.all(waiting);
  const seals = part.sent.slice(before).filter((script) => script === 'seal').length;
  expect(seals).toBeLessThan(20);
});

test('a write that gives up waiting is answered by its deadline, also where Redis has stopped answering', async () => {
  const part = await world.part();
  await epochOf(part);
  const began = performance.now();
  const write = part.behind.write(CARTS, 'k', '1', queued(1_000));
  await until(() => world.raw.exists('hf:{p00}:e:carts/k'), { what: 'the staged write' });
  part.before('hello', () => new Promise(() => {}));
  await expect(write).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(performance.now() - began).toBeLessThan(1_500);
});
