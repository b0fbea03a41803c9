import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { until } from '../../dev/until.ts';
import { parseSamples, sumOf } from '../support/prometheus-text.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');
const rules = parse(read('deploy', 'prometheus', 'alerts.yml')) as {
  groups: { rules: { alert: string; expr: string }[] }[];
};
const alert = rules.groups
  .flatMap((group) => group.rules)
  .find((rule) => rule.alert === 'HoldfastRefusedWithoutOutage') ?? { expr: '' };
const runbook = read('docs', 'operations.md');
const REFUSALS = ['holdfast_http_problems_total', 'code="dependency-unavailable"'] as const;

describe.each(['noeviction', 'volatile-lru'])('Redis at its memory limit, maxmemory-policy %s', (policy) => {
  let system: System;
  let raw: Redis;
  const order = (key: string) => entryUrl(system.url, 'orders', key);
  const cart = (key: string) => entryUrl(system.url, 'carts', key);
  const scrape = async () => (await call('GET', `${system.url}/metrics`)).text;
  const refusals = async () => sumOf(await scrape(), ...REFUSALS);
  const dependencies = (text: string) =>
    parseSamples(text).filter(({ name }) => name === 'holdfast_dependency_up');
  beforeAll(async () => {
    system = await startSystem({ redis: { settings: ['--maxmemory-policy', policy] } });
    raw = new Redis(system.redis.url);
    await call('PUT', order('known'), { body: '"before"' });
    await call('PUT', cart('known'), { body: '"before"', headers: { prefer: 'durability=persisted' } });
    await raw.config('SET', 'maxmemory', '500kb');
  });
  afterAll(async () => {
    raw.disconnect();
    await system.stop();
  });

  test('write-through goes on, and is read', async () => {
    for (const key of ['known', 'new']) {
      for (const value of ['"one"', '"two"']) {
        const put = await call('PUT', order(key), { body: value });
        expect([put.status, put.json.state], put.text).toEqual([
          value === '"one"' && key === 'new' ? 201 : 200,
          'persisted',
        ]);
        expect((await call('GET', order(key))).text).toBe(value);
      }
    }
    expect((await call('DELETE', order('new'))).json.state).toBe('persisted');
    expect((await call('GET', order('new'))).status).toBe(404);
    // Nothing is left of them: no block, no copy.
    expect(await raw.keys('hf:{p00}:blocks')).toEqual([]);
    expect(await raw.keys('hf:{p00}:e:orders/*')).toEqual([]);
  });

  test('write-behind is refused and says why; reads are served', async () => {
    const before = (await refusals()) ?? 0;
    for (const refused of [
      await call('PUT', cart('known'), { body: '"after"' }),
      await call('POST', `${entryUrl(system.url, 'page-views', 'p')}/increment`),
    ]) {
      expect([refused.status, refused.json.code, refused.json.dependency]).toEqual([
        503,
        'dependency-unavailable',
        'redis',
      ]);
      expect(refused.json.detail).toMatch(/memory limit.*did not happen.*nothing accepted earlier is lost/);
      expect(refused.headers.get('retry-after')).toBe('5');
    }
    expect((await call('GET', cart('known'))).text).toBe('"before"');
    expect((await call('GET', cart('unknown'))).status).toBe(404);
    // No dependency is down: what tells somebody is the alert that the runbook has for it.
    expect((await call('GET', `${system.url}/readyz`)).json.status).toBe('ready');
    await until(async () => dependencies(await scrape()).every(({ value }) => value === 1), {
      what: 'every dependency to be told up',
    });
    expect(await refusals()).toBe(before + 2);
    expect(alert.expr).toContain(`${REFUSALS[0]}{${REFUSALS[1]}}`);
    expect(runbook).toMatch(
      /a full Redis refuses.*`dependency-unavailable` answers grow.*#holdfastrefusedwithoutoutage/,
    );
  });

  test('once there is room again, everything works, from the cache too', async () => {
    await raw.config('SET', 'maxmemory', '0');
    const put = await call('PUT', cart('known'), {
      body: '"after"',
      headers: { prefer: 'durability=persisted' },
    });
    expect(put.json.state).toBe('persisted');
    expect((await call('PUT', order('known'), { body: '"after"' })).json.state).toBe('persisted');
    for (const url of [cart('known'), order('known')]) {
      const got = await call('GET', url);
      expect([got.text, got.headers.get('cache-status')]).toEqual([
        '"after"',
        expect.stringMatching(/^Holdfast; hit/),
      ]);
    }
    expect((await call('POST', `${entryUrl(system.url, 'page-views', 'p')}/increment`)).json.value).toBe(1);
  });
});
