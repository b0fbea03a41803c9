import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { connectRedis, type RedisStore } from '../../storage/redis/client.ts';
import {
  classifyRedisError,
  RedisOutcomeUnknown,
  RedisOutOfMemory,
  RedisUnavailable,
  RedisUnreachable,
} from '../../storage/redis/errors.ts';
import { EVENTS_CHANNEL } from '../../storage/redis/keys.ts';
import { type StageOptions, stageWrite } from '../../storage/redis/write.ts';
import {
  openPartition,
  type RedisUnderTest,
  redisTime,
  staged,
  startRedisUnderTest,
  type TestPartition,
} from '../support/redis-partition.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const TIMEOUT_MS = 1_000;
let redis: RedisUnderTest;
let proxy: TcpProxy;
/** The store under test; it reaches Redis through the proxy. */
let store: RedisStore;
let p: TestPartition;

beforeAll(async () => {
  redis = await startRedisUnderTest();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  proxy = await startTcpProxy(redis.server);
  store = connectRedis({ url: `redis://127.0.0.1:${proxy.port}`, timeoutMs: TIMEOUT_MS, name: 'cut' });
  await connected();
  p = await openPartition(redis);
  await p.setCounter('c', '0');
  return async () => {
    await store.close();
    await proxy.close();
  };
});

const connected = () => until(() => store.ping().then(() => true), { what: 'a connection', everyMs: 5 });
const increment = (over: Partial<StageOptions> = {}) =>
  stageWrite(store, { collection: 'hits', key: 'c', by: 1 }, p.options(over));
const count = async () => Number((await redis.raw.get(`${p.keys.entryPrefix}hits/c`))?.split(' ').at(-1));
/** How a promise ended, and after how many milliseconds. */
async function ending(call: Promise<unknown>): Promise<{ readonly what: string; readonly ms: number }> {
  const start = performance.now();
  const what = await call.then(
    () => 'ok',
    (error: Error) => error.name,
  );
  return { what, ms: performance.now() - start };
}
function tally(endings: readonly { readonly what: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { what } of endings) counts[what] = (counts[what] ?? 0) + 1;
  return counts;
}

describe('the moment from which Redis is back', () => {
  test('is none where it was there from the beginning, and that of the connection that came back', async () => {
    expect(store.reconnectedAt()).toBe(Number.NEGATIVE_INFINITY);
    const before = performance.now();
    proxy.cut();
    await until(() => store.reconnectedAt() >= before, { what: 'the connection to be back' });
  });

  test('is that of a first connection that was long in coming: others may have written around Redis', async () => {
    proxy.refuse(true);
    const began = performance.now();
    const late = connectRedis({
      url: `redis://127.0.0.1:${proxy.port}`,
      timeoutMs: TIMEOUT_MS,
      name: 'late',
    });
    try {
      await until(() => performance.now() - began > 1_100, { what: 'a second to pass' });
      expect(late.reconnectedAt()).toBe(Number.NEGATIVE_INFINITY);
      proxy.refuse(false);
      await until(() => late.ping().then(() => true), { what: 'a connection' });
      expect(late.reconnectedAt()).toBeGreaterThan(began + 1_000);
    } finally {
      await late.close();
    }
  });
});

describe('a connection cut', () => {
  test('after the command ran: the outcome is unknown, and it is never sent again', async () => {
    const cut = proxy.cutOn('answer', (bytes) => bytes.includes(p.epoch));
    const call = ending(increment());
    await cut;
    expect((await call).what).toBe('RedisOutcomeUnknown');
    await connected();
    staged(await increment());
    expect(await count()).toBe(2);
  });

  test('before the command arrived: the outcome is unknown all the same', async () => {
    const cut = proxy.cutOn('request', (bytes) => bytes.includes('hits/c'));
    const call = ending(increment());
    await cut;
    expect((await call).what).toBe('RedisOutcomeUnknown');
    await connected();
    expect(await count()).toBe(0);
  });

  test('again and again under load: every call is settled, and the counter is the sum', async () => {
    const endings: { what: string }[] = [];
    for (let round = 0; round < 15; round += 1) {
      const cut = proxy.cutOn(round % 2 === 0 ? 'answer' : 'request', (bytes) => bytes.includes(p.keys.name));
      const calls: Promise<{ what: string }>[] = [];
      for (let i = 0; i < 40; i += 1) {
        calls.push(ending(increment()));
        if (i % 8 === 7) await new Promise(setImmediate);
      }
      // An increment's answer names its batch, and with it the partition.
      await cut;
      endings.push(...(await Promise.all(calls)));
      await connected();
    }
    const { ok = 0, RedisOutcomeUnknown: unknown = 0, RedisUnreachable: unavailable = 0 } = tally(endings);
    expect(ok + unknown + unavailable).toBe(15 * 40);
    expect(unknown).toBeGreaterThan(0);
    const total = await count();
    expect(total).toBeGreaterThanOrEqual(ok);
    expect(total).toBeLessThanOrEqual(ok + unknown);
  });

  test('in the middle of many commands sent together: each is settled, and ran at most once', async () => {
    const cut = proxy.cutOn('answer', (bytes) => bytes.includes(p.epoch));
    const calls = Array.from({ length: 200 }, () => ending(increment()));
    await cut;
    const endings = tally(await Promise.all(calls));
    expect((endings.ok ?? 0) + (endings.RedisOutcomeUnknown ?? 0) + (endings.RedisUnreachable ?? 0)).toBe(
      200,
    );
    expect(await count()).toBeLessThanOrEqual((endings.ok ?? 0) + (endings.RedisOutcomeUnknown ?? 0));
    expect(await count()).toBeGreaterThan(0);
  });
});

describe('without a connection', () => {
  test('a call fails at once as certainly not run, and is not sent later', async () => {
    proxy.refuse(true);
    await until(async () => (await ending(increment())).what === 'RedisUnreachable', {
      what: 'the loss to be seen',
    });
    const before = await count();
    const endings = await Promise.all(Array.from({ length: 50 }, () => ending(increment())));
    expect(tally(endings)).toEqual({ RedisUnreachable: 50 });
    expect(Math.max(...endings.map((one) => one.ms))).toBeLessThan(TIMEOUT_MS);
    proxy.refuse(false);
    await connected();
    expect(await count()).toBe(before);
    staged(await increment());
  });

  test('the first calls of a store that has not connected yet fail at once', async () => {
    const young = connectRedis({ url: redis.server.url, timeoutMs: TIMEOUT_MS, name: 'young' });
    await expect(young.ping()).rejects.toThrow(RedisUnreachable);
    await until(() => young.ping().then(() => true), { what: 'a connection' });
    await young.close();
  });

  test('connection trouble is reported, and ends by itself', async () => {
    const errors: Error[] = [];
    const other = connectRedis({
      url: `redis://127.0.0.1:${proxy.port}`,
      timeoutMs: TIMEOUT_MS,
      name: 'other',
      onError: (error) => errors.push(error),
    });
    await until(() => other.ping().then(() => true), { what: 'a connection' });
    proxy.refuse(true);
    await until(() => errors.length > 0, { what: 'an error' });
    proxy.refuse(false);
    await until(() => other.ping().then(() => true), { what: 'a connection' });
    await other.close();
  });

  test('a closed store refuses', async () => {
    await store.close();
    await expect(increment()).rejects.toThrow();
    expect(await count()).toBe(0);
  });
});

describe('a network that goes dead', () => {
  test('a call ends in time with an unknown outcome; what arrives late does nothing', async () => {
    proxy.hold('request');
    const instant = (await redisTime(redis.raw)) + (TIMEOUT_MS / 2) * 1_000;
    const call = await ending(increment({ notAfter: () => instant }));
    expect(call.what).toBe('RedisOutcomeUnknown');
    expect(call.ms).toBeLessThan(4 * TIMEOUT_MS);
    proxy.forward();
    await connected();
    expect(await count()).toBe(0);
  });

  test('a call without a not-after instant may run late, once', async () => {
    proxy.hold('request');
    expect((await ending(increment())).what).toBe('RedisOutcomeUnknown');
    proxy.forward();
    await until(async () => (await count()) === 1, { what: 'the late increment' });
    await connected();
    expect(await count()).toBe(1);
  });

  test('is given up: later calls fail at once as certainly not run', async () => {
    proxy.hold();
    expect((await ending(increment())).what).toBe('RedisOutcomeUnknown');
    const later = await ending(increment());
    expect(later.what).toBe('RedisUnreachable');
    expect(later.ms).toBeLessThan(TIMEOUT_MS);
    proxy.forward();
    await connected();
  });

  test('calls that waited behind a stuck one were not sent, and fail with it', async () => {
    proxy.hold('request');
    const first = ending(increment());
    for (let i = 0; i < 5; i += 1) await new Promise(setImmediate);
    const second = ending(increment());
    expect((await first).what).toBe('RedisOutcomeUnknown');
    const waited = await second;
    expect(waited.what).toBe('RedisUnreachable');
    expect(waited.ms).toBeLessThan(4 * TIMEOUT_MS);
    proxy.forward();
    await connected();
    expect(await count()).toBeLessThanOrEqual(1);
  });

  test('a hung Redis is the same: in time, and back by itself', async () => {
    process.kill(redis.server.pid, 'SIGSTOP');
    try {
      const call = await ending(increment({ notAfter: () => 0 }));
      expect(call.what).toBe('RedisOutcomeUnknown');
      expect(call.ms).toBeLessThan(4 * TIMEOUT_MS);
      expect((await ending(increment())).what).toBe('RedisUnreachable');
    } finally {
      process.kill(redis.server.pid, 'SIGCONT');
    }
    await connected();
    staged(await increment());
    expect(await count()).toBe(1);
  });

  test('slow answers are no trouble', async () => {
    proxy.delay(TIMEOUT_MS / 8);
    const endings = await Promise.all(Array.from({ length: 20 }, () => ending(increment())));
    expect(tally(endings)).toEqual({ ok: 20 });
    expect(await count()).toBe(20);
  });
});

test('one failing script of many sent together does not touch the others', async () => {
  const calls = [
    ending(increment()),
    ending(increment({ epoch: '0-other' })),
    ending(store.run('lookup', [], [])),
    ending(
      store.run(
        'stage',
        [p.keys.free, '', '', '', '', '', '', ''].map((k) => k || p.keys.open),
        [p.epoch],
      ),
    ),
    ending(increment()),
  ];
  expect((await Promise.all(calls)).map((one) => one.what)).toEqual([
    'ok',
    'EpochChanged',
    'RedisOutcomeUnknown',
    'RedisOutcomeUnknown',
    'ok',
  ]);
  expect(await count()).toBe(2);
});

test('a script that is not there is a mistake in the code', async () => {
  await expect(store.run('nonsense', [], [])).rejects.toThrow('no such Redis script: nonsense.lua');
});

describe('errors of Redis', () => {
  const sha = 'a'.repeat(40);
  test.each([
    ["Stream isn't writeable and enableOfflineQueue options is false", RedisUnreachable],
    ['LOADING Redis is loading the dataset in memory', RedisUnavailable],
    ["READONLY You can't write against a read only replica.", RedisUnavailable],
    ['NOREPLICAS Not enough good replicas to write.', RedisUnavailable],
    ['MISCONF Redis is configured to save RDB snapshots', RedisUnavailable],
    ['BUSY Redis is busy running a script.', RedisUnavailable],
    ['MOVED 3999 127.0.0.1:6381', RedisUnavailable],
    [
      "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
      RedisOutOfMemory,
    ],
    ['Command timed out', RedisOutcomeUnknown],
    ['Reached the max retries per request limit (which is 0).', RedisOutcomeUnknown],
    ['Command aborted due to connection close', RedisOutcomeUnknown],
    ['Connection is closed.', RedisOutcomeUnknown],
    ['ERR anything else', RedisOutcomeUnknown],
    [`NOPERM no permission script: ${sha}, on @user_script:12.`, RedisOutcomeUnknown],
    [`OOM command not allowed script: ${sha}, on @user_script:12.`, RedisOutcomeUnknown],
  ])('%s', (message, type) => {
    expect(classifyRedisError(new Error(message))).toBeInstanceOf(type);
  });
});

describe("Redis' time", () => {
  test('is estimated from answers, and never ahead of it', async () => {
    for (let i = 0; i < 20; i += 1) {
      await increment();
      const estimated = store.estimatedTime();
      const real = await redisTime(redis.raw);
      expect(estimated).toBeLessThanOrEqual(real);
      expect(estimated).toBeGreaterThan(real - 5_000_000);
    }
  });

  test('an answer that was long under way does not set the estimate back', async () => {
    const at = 2_000_000_000_000_000;
    store.learnTime(at);
    store.learnTime(at - 3_000_000);
    expect(store.estimatedTime()).toBeGreaterThanOrEqual(at);
    expect(store.estimatedTime()).toBeLessThan(at + 60_000_000);
  });

  test('is learnt anew after a reconnection: it may be another server', async () => {
    store.learnTime(2_000_000_000_000_000);
    proxy.cut();
    await until(async () => (await ending(store.ping())).what !== 'ok', {
      what: 'the cut to be seen',
      everyMs: 1,
    });
    await connected();
    await increment();
    expect(store.estimatedTime()).toBeLessThanOrEqual(await redisTime(redis.raw));
  });
});

describe('messages', () => {
  test('arrive; a gap is reported at first and after every reconnection', async () => {
    const messages: string[] = [];
    let gaps = 0;
    store.subscribe(
      (message) => messages.push(message),
      () => {
        gaps += 1;
      },
    );
    await until(() => gaps === 1, { what: 'the first subscription' });
    await redis.raw.publish(EVENTS_CHANNEL, 'one');
    await until(() => messages.length === 1, { what: 'a message' });
    proxy.cut();
    await until(() => gaps === 2, { what: 'the second subscription' });
    await redis.raw.publish(EVENTS_CHANNEL, 'two');
    await until(() => messages.length === 2, { what: 'another message' });
    expect(messages).toEqual(['one', 'two']);
  });

  test('are listened for again after a subscription that got no answer', async () => {
    let gaps = 0;
    const errors: Error[] = [];
    const other = connectRedis({
      url: `redis://127.0.0.1:${proxy.port}`,
      timeoutMs: TIMEOUT_MS,
      name: 'other',
      onError: (error) => errors.push(error),
    });
    let asked = false;
    proxy.cutOn('request', (bytes) => {
      if (!asked && bytes.includes(EVENTS_CHANNEL)) {
        asked = true;
        proxy.hold('answer');
      }
      return false;
    });
    other.subscribe(
      () => {},
      () => {
        gaps += 1;
      },
    );
    await until(() => errors.length > 0, { what: 'the silence to be noticed' });
    proxy.forward();
    await until(() => gaps > 0, { what: 'the subscription' });
    await other.close();
  });

  test('are listened for on a new connection when the old one has gone dead without a word', async () => {
    const messages: string[] = [];
    let gaps = 0;
    store.subscribe(
      (message) => messages.push(message),
      () => {
        gaps += 1;
      },
    );
    await until(() => gaps === 1, { what: 'the first subscription' });
    // Only what listens sends anything: nobody uses the other connection.
    const before = proxy.connections();
    proxy.hold();
    await until(() => proxy.connections() > before, { what: 'a new connection' });
    proxy.forward();
    await until(() => gaps === 2, { what: 'the second subscription' });
    await redis.raw.publish(EVENTS_CHANNEL, 'after');
    await until(() => messages.includes('after'), { what: 'a message' });
  });
});

test('the settings of the server can be read', async () => {
  expect(await store.serverSettings()).toEqual({
    evictionPolicy: 'noeviction',
    maxMemory: 0,
    appendOnly: false,
  });
});
