import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { recoverPartition } from '../../service/recovery.ts';
import { currentEpoch } from '../../storage/redis/recover.ts';
import { services } from '../support/services.ts';
import { type ApiProcess, call, entryUrl, type System, startSystem } from '../support/system.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createWorld, gate, type World } from './rules-fixture.ts';

const STATE = 'hf:{p00}:state';
const LOCK = 'hf:{p00}:lock';
/** The lock lasts 3 s; a machine that runs other tests needs some more to notice. Far below a request's patience twice. */
const SOON_MS = 12_000;

describe('two processes, one of them in the middle of a recovery', () => {
  let system: System;
  let temporal: TcpProxy;
  let raw: Redis;
  let slow: ApiProcess;
  let other: ApiProcess;
  beforeEach(async () => {
    system = await startSystem({ apis: 0, workers: 1 });
    raw = new Redis(system.redis.url);
    const [host, port] = services().temporalAddress.split(':');
    temporal = await startTcpProxy({ port: Number(port), host: host ?? '127.0.0.1' });
    temporal.hold();
    slow = await system.startApi({
      TEMPORAL_ADDRESS: `${temporal.host}:${temporal.port}`,
      TEMPORAL_TIMEOUT_MS: '60000',
    });
    await until(() => raw.exists(LOCK), { what: 'the recovery to begin' });
    other = await system.startApi();
  });
  afterEach(async () => {
    raw.disconnect();
    await system.stop();
    await temporal.close();
  });

  const write = async (api: ApiProcess) =>
    (await call('PUT', entryUrl(api.url, 'carts', 'k'), { body: 1 })).json.state === 'queued';

  test('its death keeps the other waiting for seconds only', async () => {
    expect(await raw.exists(STATE)).toBe(0);
    await slow.kill();
    await until(() => write(other), { what: 'the other process to recover', timeoutMs: SOON_MS });
  });

  test('stopped for a while, it is overtaken, and installs nothing when it wakes', async () => {
    process.kill(slow.pid, 'SIGSTOP');
    await until(() => write(other), { what: 'the other process to recover', timeoutMs: SOON_MS });
    const epoch = await raw.hget(STATE, 'epoch');
    temporal.forward();
    process.kill(slow.pid, 'SIGCONT');
    await until(() => write(slow), { what: 'the process that was stopped', timeoutMs: 30_000 });
    expect(await raw.hget(STATE, 'epoch')).toBe(epoch);
    const { rows } = await system.db.query('SELECT epoch FROM partition_clocks');
    expect(rows).toEqual([{ epoch }]);
  });

  test('both at once end in one epoch', async () => {
    temporal.forward();
    for (let round = 0; round < 5; round++) {
      await until(async () => (await write(slow)) && (await write(other)), {
        what: 'both to write',
        timeoutMs: 30_000,
      });
      await raw.flushall();
      const answers = await Promise.all(
        [slow, other].map(({ url }) => call('GET', entryUrl(url, 'carts', 'k'))),
      );
      expect(answers.map(({ text }) => text)).toEqual(['1', '1']);
      const epochs = await Promise.all(
        [slow, other].map(
          async ({ url }) => (await call('GET', `${entryUrl(url, 'carts', 'k')}/explanation`)).json.epoch,
        ),
      );
      const epoch = await raw.hget(STATE, 'epoch');
      expect(epochs).toEqual([epoch, epoch]);
    }
  });
});

const NOTHING_SEEN = { minEpochNumber: 0, seenVersion: 0, onFence: () => {} };

describe('a recovery that takes longer than the life of its lock', () => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld();
  });
  afterEach(() => world.close());

  test('keeps it, and ends well', async () => {
    const [part, other] = [await world.part(), await world.part()];
    const { opened, open } = gate();
    part.temporalHook(() => opened);
    const recovery = recoverPartition(part.ctx, 0, NOTHING_SEEN);
    await until(() => world.raw.exists(LOCK), { what: 'the lock' });
    const life = await world.raw.pttl(LOCK);
    for (const end = performance.now() + 1.5 * life; performance.now() < end; ) {
      expect(await recoverPartition(other.ctx, 0, NOTHING_SEEN)).toBeUndefined();
    }
    open();
    const epoch = await recovery;
    expect(epoch).toBeDefined();
    expect((await currentEpoch(other.ctx.redis, 0)).epoch).toBe(epoch);
    expect(part.sent).toContain('renew');
  });

  test('does not take back what it lost', async () => {
    const part = await world.part();
    const { opened, open } = gate();
    part.temporalHook(() => opened);
    const recovery = recoverPartition(part.ctx, 0, NOTHING_SEEN);
    await until(() => world.raw.exists(LOCK), { what: 'the lock' });
    await world.raw.del(LOCK);
    const renewals = () => part.sent.filter((script) => script === 'renew').length;
    await until(() => renewals() > 0, { what: 'a renewal' });
    expect(await world.raw.exists(LOCK)).toBe(0);
    open();
    expect(await recovery).toBeUndefined();
    expect(await world.raw.exists(STATE)).toBe(0);
    const after = renewals();
    // A further recovery is as long as the pause between two renewals.
    expect(await recoverPartition(part.ctx, 0, NOTHING_SEEN)).toBeDefined();
    expect(renewals()).toBeLessThanOrEqual(after + 1);
  });
});

test('a recovery that finds another run id when it installs gives its lock back', async () => {
  const world = await createWorld();
  try {
    const [part, other] = [await world.part(), await world.part()];
    // As after a restart with all data, the lock included.
    const { redis } = part.ctx;
    const restarted: typeof redis = {
      ...redis,
      run: (name, keys, args) =>
        redis.run(
          name,
          keys,
          name === 'install' ? args.with(1, `${'f'.repeat(40)} ${'e'.repeat(40)}`) : args,
        ),
    };
    expect(await recoverPartition({ ...part.ctx, redis: restarted }, 0, NOTHING_SEEN)).toBeUndefined();
    // Long before it would have run out.
    await until(async () => (await world.raw.exists(LOCK)) === 0, { what: 'the lock', timeoutMs: 1_000 });
    expect(await recoverPartition(other.ctx, 0, NOTHING_SEEN)).toBeDefined();
  } finally {
    await world.close();
  }
});
