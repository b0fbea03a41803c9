import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { startLoad } from '../support/load.ts';
import { type ApiProcess, call, entryUrl, startSystem, type WorkerProcess } from '../support/system.ts';
import {
  type ProxiedSystem,
  type ServiceName,
  startSystemBehindProxies,
} from '../support/system-behind-proxies.ts';

/** What supervisors commonly wait before they kill; Kubernetes waits longest. */
const API_DEADLINE_MS = 10_000;
const WORKER_DEADLINE_MS = 30_000;
const SERVICES: readonly ServiceName[] = ['redis', 'postgres', 'temporal'];

let system: ProxiedSystem;
/** Never stopped: what one process leaves, this one finds. */
let other: ApiProcess;
beforeAll(async () => {
  system = await startSystemBehindProxies({ apis: 1, workers: 1 });
  [other] = system.apis as [ApiProcess];
  await until(() => persisted(other, 'warm-up'), { what: 'the system to work', timeoutMs: 60_000 });
});
afterAll(() => system.stop());

const cart = (api: ApiProcess, key: string) => entryUrl(api.url, 'carts', key);

async function persisted(api: ApiProcess, key: string): Promise<boolean> {
  const put = await call('PUT', cart(api, key), { body: 1, headers: { prefer: 'durability=persisted' } });
  return put.json.state === 'persisted';
}

async function rowsOf(keys: readonly string[]): Promise<number> {
  const { rows } = await system.db.query('SELECT 1 FROM documents WHERE key = ANY($1)', [keys]);
  return rows.length;
}

const rowsAppear = (keys: readonly string[]) =>
  until(async () => (await rowsOf(keys)) === keys.length, {
    what: 'the rows of what was acknowledged',
    timeoutMs: 90_000,
  });

/** SIGTERM, and how it ended; fails where that takes too long. */
async function terminated(one: ApiProcess | WorkerProcess, deadlineMs: number): Promise<string> {
  const asked = performance.now();
  process.kill(one.pid, 'SIGTERM');
  const how = await one.exited;
  expect(performance.now() - asked).toBeLessThan(deadlineMs);
  return how;
}

describe('an API that is asked to stop', () => {
  test('under load says so first, then refuses connections; no request fails, and nothing acknowledged is lost', async () => {
    const api = await system.startApi();
    const load = startLoad(`${api.url}/v1/collections/carts/entries`, 12);
    await until(async () => (await call('GET', `${api.url}/readyz`)).status === 200, {
      what: 'to be ready',
      timeoutMs: 30_000,
    });
    const asked = performance.now();
    const ended = terminated(api, API_DEADLINE_MS);
    await until(async () => (await call('GET', `${api.url}/readyz`)).json.status === 'stopping', {
      what: 'to be told that it stops',
      everyMs: 20,
    });
    const told = performance.now();
    expect(await ended).toBe('exit code 0');
    const { acknowledged, failures, refusedAt, resets } = await load.done;
    expect(failures).toEqual([]);
    console.log('RESETS', resets.length);
    // Of these the process never heard. They come at the moment when it stops to listen, and at no other.
    expect(await rowsOf(resets.map(({ key }) => key))).toBe(0);
    for (const { at } of resets) expect(Math.abs(at - Number(refusedAt))).toBeLessThan(250);
    expect(refusedAt).toBeGreaterThan(told);
    expect(refusedAt).toBeGreaterThan(asked + 1_000);
    expect(acknowledged.length).toBeGreaterThan(12);
    await rowsAppear(acknowledged);
  });

  test('queues what is staged: it survives the loss of Redis from then on', async () => {
    // Alone: nobody else could have queued it.
    const alone = await startSystem({ env: { FLUSH_INTERVAL_MS: '60000' } });
    try {
      const [api] = alone.apis as [ApiProcess];
      const put = await call('PUT', cart(api, 'staged'), {
        body: 1,
        headers: { prefer: 'durability=cached' },
      });
      expect(put.json.state).toBe('cached');
      expect(await terminated(api, API_DEADLINE_MS)).toBe('exit code 0');
      await alone.redis.kill();
      await until(async () => (await alone.db.query('SELECT 1 FROM documents')).rows.length === 1, {
        what: 'the row of what was staged',
        timeoutMs: 30_000,
      });
    } finally {
      await alone.stop();
    }
  });

  test.each(SERVICES)('ends in time while %s takes what is sent and never answers', async (name) => {
    // Statements that hang are still under way when everything else has ended.
    const api = await system.startApi({ POSTGRES_TIMEOUT_MS: '20000' });
    const keys = [1, 2, 3].map((i) => `${name}-${i}`);
    for (const key of keys)
      await call('PUT', cart(api, key), { body: 1, headers: { prefer: 'durability=cached' } });
    system.proxies[name].hold();
    try {
      // Somebody waits for an answer that depends on it.
      const waiting = ['carts', 'orders'].flatMap((collection) => {
        const url = entryUrl(api.url, collection, `waits-for-${name}`);
        return [call('PUT', url, { body: 1 }), call('GET', url)].map((one) => one.catch(() => {}));
      });
      expect(await terminated(api, API_DEADLINE_MS)).toBe('exit code 0');
      await Promise.all(waiting);
    } finally {
      system.proxies[name].forward();
    }
    await rowsAppear(keys);
  });

  test.each([[['redis']], [['postgres']], [['temporal']], [SERVICES]] as const)(
    'ends in time where it starts without %j',
    async (names) => {
      for (const name of names) system.proxies[name].refuse(true);
      try {
        expect(await terminated(await system.startApi(), API_DEADLINE_MS)).toBe('exit code 0');
      } finally {
        for (const name of names) system.proxies[name].refuse(false);
      }
    },
  );

  test('twice ends at once, and what it leaves is found by another', async () => {
    const api = await system.startApi({ FLUSH_INTERVAL_MS: '60000', SHUTDOWN_DELAY_MS: '60000' });
    const put = await call('PUT', cart(api, 'left'), { body: 1, headers: { prefer: 'durability=cached' } });
    expect(put.json.state).toBe('cached');
    process.kill(api.pid, 'SIGTERM');
    await until(() => api.output().includes('stopping'), { what: 'the first signal to be noticed' });
    expect(await terminated(api, 5_000)).toBe('exit code 1');
    await rowsAppear(['left']);
  });
});

describe('a worker that is asked to stop', () => {
  /** Keeps every batch from being persisted until it is called. */
  async function lockRows(): Promise<() => Promise<void>> {
    const client = await system.db.connect();
    await client.query('BEGIN');
    await client.query('LOCK TABLE documents IN EXCLUSIVE MODE');
    return async () => {
      await client.query('COMMIT');
      client.release();
    };
  }
  const attemptsToPersist = async () => {
    const { rows } = await system.db.query(
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'holdfast-worker' AND wait_event_type = 'Lock'",
    );
    return rows.length;
  };
  let worker: WorkerProcess;
  beforeAll(async () => {
    [worker] = system.workers as [WorkerProcess];
  });

  test('finishes the batch it is at', async () => {
    const unlock = await lockRows();
    expect((await call('PUT', cart(other, 'finished'), { body: 1 })).json.state).toBe('queued');
    await until(async () => (await attemptsToPersist()) > 0, {
      what: 'the batch to be at its rows',
      timeoutMs: 30_000,
    });
    const ended = terminated(worker, WORKER_DEADLINE_MS);
    await until(() => worker.output().includes('shutting down'), { what: 'the signal to be noticed' });
    await unlock();
    expect(await ended).toBe('exit code 0');
    expect(await rowsOf(['finished'])).toBe(1);
  });

  test('twice ends at once; the batch is persisted by another', async () => {
    const hasty = await system.startWorker();
    const unlock = await lockRows();
    expect((await call('PUT', cart(other, 'dropped'), { body: 1 })).json.state).toBe('queued');
    await until(async () => (await attemptsToPersist()) > 0, {
      what: 'the batch to be at its rows',
      timeoutMs: 30_000,
    });
    process.kill(hasty.pid, 'SIGTERM');
    await until(() => hasty.output().includes('shutting down'), { what: 'the first signal to be noticed' });
    expect(await terminated(hasty, 5_000)).toBe('exit code 130');
    await unlock();
    await system.startWorker();
    await rowsAppear(['dropped']);
    // Temporal learns by a timeout that the worker is gone, and its shortest is 10 s.
  }, 120_000);

  test.each([
    ['redis', 'exit code 0'],
    ['postgres', 'exit code 0'],
    // The SDK does not let go of a server that hangs: then the process has to be ended.
    ['temporal', 'exit code 1'],
  ] as const)('ends in time while %s takes what is sent and never answers', async (name, how) => {
    const one = await system.startWorker();
    await until(() => one.output().includes('worker ready'), { what: 'the worker', timeoutMs: 40_000 });
    system.proxies[name].hold();
    try {
      expect(await terminated(one, WORKER_DEADLINE_MS)).toBe(how);
    } finally {
      system.proxies[name].forward();
    }
  });

  test('ends in time where it starts without any of them', async () => {
    for (const name of SERVICES) system.proxies[name].refuse(true);
    try {
      const one = await system.startWorker();
      await until(() => one.output().includes('waiting for Temporal'), {
        what: 'the worker to wait',
        timeoutMs: 40_000,
      });
      expect(await terminated(one, WORKER_DEADLINE_MS)).toBe('exit code 0');
    } finally {
      for (const name of SERVICES) system.proxies[name].refuse(false);
    }
  });
});
