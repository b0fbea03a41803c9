import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import { testKey } from '../support/api-key.ts';
import { sumOf } from '../support/prometheus-text.ts';
import { startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/secret-key';
const JSON_TYPE = { 'content-type': 'application/json' };

test('requests are counted by the template of their route, method and status, never by a key', async () => {
  const { request, holdfast } = await startApi();
  await request('PUT', CART, { headers: JSON_TYPE, body: '"secret-value"' });
  await request('GET', CART);
  await request('GET', '/v1/collections/carts/entries/absent');
  await request('GET', '/nothing/secret-path');
  holdfast.before = () => {
    throw new HoldfastError('queue-full', 'Full.');
  };
  await request('PUT', CART, { headers: JSON_TYPE, body: '1' });
  holdfast.before = () => {
    throw new Error('unexpected');
  };
  await request('GET', CART);

  const answer = await request('GET', '/metrics');
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const text = await answer.text();
  const count = (route: string, method: string, status: number) =>
    new RegExp(
      `^holdfast_http_request_duration_seconds_count\\{route="${route}",method="${method}",status="${status}"\\} (\\d+)$`,
      'm',
    ).exec(text)?.[1];
  const entry = '/v1/collections/\\{collection\\}/entries/\\{key\\}';
  expect(count(entry, 'PUT', 202)).toBe('1');
  expect(count(entry, 'PUT', 503)).toBe('1');
  expect(count(entry, 'GET', 200)).toBe('1');
  expect(count(entry, 'GET', 404)).toBe('1');
  expect(count(entry, 'GET', 500)).toBe('1');
  expect(count('none', 'any', 404)).toBe('1');
  const problems = Object.fromEntries(
    [...text.matchAll(/^holdfast_http_problems_total\{code="([a-z-]+)"\} (\d+)$/gm)].map((m) => [m[1], m[2]]),
  );
  expect(problems).toMatchObject({
    'queue-full': '1',
    'entry-not-found': '1',
    'route-not-found': '1',
    internal: '1',
    'rate-limited': '0',
  });
  expect(text).toMatch(/^holdfast_dependency_up\{dependency="redis"\} 1$/m);
  expect(text).not.toMatch(/secret/);
});

test('every code that an alert looks at is counted from the start, so that its first answer is an increase', async () => {
  const { request } = await startApi();
  const text = await (await request('GET', '/metrics')).text();
  const alerts = readFileSync(join(import.meta.dirname, '../../deploy/prometheus/alerts.yml'), 'utf8');
  const codes = [...alerts.matchAll(/holdfast_http_problems_total\{code="([a-z-]+)"\}/g)].map((m) => m[1]);
  expect(codes).toContain('dependency-unavailable');
  // The runbook names it.
  codes.push('draining');
  for (const code of codes) {
    expect(sumOf(text, 'holdfast_http_problems_total', `code="${code}"`), code).toBe(0);
  }
});

test('problems within the answer to a batch are counted, too', async () => {
  const { request, holdfast } = await startApi();
  holdfast.before = ({ key }) => {
    if (key !== 'fine') throw new HoldfastError('queue-full', 'Full.');
  };
  const put = (key: string) => ({ op: 'put', collection: 'carts', key, value: 1 });
  const body = JSON.stringify({ operations: [put('fine'), put('a'), put('b')] });
  expect((await request('POST', '/v1/batch', { headers: JSON_TYPE, body })).status).toBe(200);
  const text = await (await request('GET', '/metrics')).text();
  expect(text).toMatch(/^holdfast_http_problems_total\{code="queue-full"\} 2$/m);
});

test('what could not be learnt has no value, not an old one and not 0', async () => {
  const { request, holdfast } = await startApi();
  const figures = {
    partition: 0,
    epoch: 3,
    pendingEntries: 7,
    stagedEntries: 2,
    batches: { retrying: 1 },
    oldestSeconds: 12.5,
    slots: 32,
    slotsInUse: 1,
  };
  const dependencies = [{ dependency: 'redis', ok: true }];
  holdfast.figures = async () => ({ dependencies, partitions: [figures], deadLetters: 4, draining: true });
  const known = await (await request('GET', '/metrics')).text();
  expect(known).toMatch(/^holdfast_oldest_unpersisted_seconds\{partition="0"\} 12.5$/m);
  expect(known).toMatch(/^holdfast_open_batches\{partition="0",state="retrying"\} 1$/m);
  expect(known).toMatch(/^holdfast_dead_letters_waiting 4$/m);
  expect(known).toMatch(/^holdfast_draining 1$/m);

  holdfast.figures = async () => ({ dependencies: [{ dependency: 'redis', ok: false }], partitions: [] });
  // One look serves all scrapes of a second.
  await expect
    .poll(async () => (await request('GET', '/metrics')).text(), { timeout: 5_000 })
    .toMatch(/^holdfast_dependency_up\{dependency="redis"\} 0$/m);
  const unknown = await (await request('GET', '/metrics')).text();
  expect(unknown).not.toMatch(/^holdfast_oldest_unpersisted_seconds\{/m);
  expect(unknown).not.toMatch(/^holdfast_dead_letters_waiting \d/m);
  expect(unknown).not.toMatch(/^holdfast_draining \d/m);
  // So many should be told of.
  for (const text of [known, unknown]) expect(text).toMatch(/^holdfast_partitions 2$/m);
});

test('with keys, the metrics need one with the scope metrics, or ops', async () => {
  const prometheus = testKey('prometheus', ['metrics']);
  const operator = testKey('operator', ['ops']);
  const shop = testKey('shop', ['read:*', 'write:*']);
  const { request } = await startApi({}, { keys: [prometheus.key, operator.key, shop.key] });
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await request('GET', path, { headers })).status;
  expect(await status('/metrics')).toBe(401);
  expect(await status('/metrics', shop.headers)).toBe(403);
  expect(await status('/metrics', prometheus.headers)).toBe(200);
  expect(await status('/metrics', operator.headers)).toBe(200);
  expect(await status('/ops/v1/dead-letters', prometheus.headers)).toBe(403);
  expect(await status('/v1/collections', prometheus.headers)).toBe(403);
  const text = await (await request('GET', '/metrics', { headers: prometheus.headers })).text();
  expect(text).not.toMatch(/hf_|shop|operator/);
});
