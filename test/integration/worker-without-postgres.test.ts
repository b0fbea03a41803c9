import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { call, entryUrl, startSystem } from '../support/system.ts';

test('a worker that starts while PostgreSQL is away releases what an earlier one has persisted', async () => {
  const system = await startSystem({ workers: 0 });
  const redis = new Redis(system.redis.url);
  try {
    const first = await system.startWorker({ REDIS_URL: 'redis://127.0.0.1:9', REDIS_TIMEOUT_MS: '200' });
    const put = await call('PUT', entryUrl(system.url, 'carts', 'k'), { body: { n: 1 } });
    expect(put.status, put.text).toBe(202);
    // Temporal knows that it is persisted, and the release fails.
    await until(
      async () => (await call('GET', `${system.url}/ops/v1/summary`)).json.newestErrors.releasing !== null,
      { what: 'a release that fails', timeoutMs: 30_000 },
    );
    await first.kill();
    // No API process either: its sweep redoes releases that were lost.
    for (const api of system.apis) await api.kill();
    expect(await redis.keys('hf:*:index')).toHaveLength(1);

    const second = await system.startWorker({ DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' });
    await until(async () => (await redis.keys('hf:*:index')).length === 0, {
      what: 'the release',
      timeoutMs: 40_000,
    });
    expect(second.output()).toContain('waiting for PostgreSQL');
    await second.stop();
  } finally {
    redis.disconnect();
    await system.stop();
  }
});
