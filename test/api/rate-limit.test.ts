import { expect, test, vi } from 'vitest';
import { testKey } from '../support/api-key.ts';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';

test('past the rate of its key a request is 429 rate-limited with Retry-After, and nothing was done', async () => {
  const slow = testKey('slow', ['read:*'], { perSecond: 1, burst: 3 });
  const { request, holdfast } = await startApi({}, { keys: [slow.key] });
  const get = () => request('GET', CART, { headers: slow.headers });
  for (let i = 0; i < 3; i += 1) expect((await get()).status).toBe(404);
  await vi.waitFor(async () => expect((await get()).status).toBe(429));
  const calls = holdfast.calls.length;
  let response = await get();
  if (response.status !== 429) response = await get();
  expect(response.status).toBe(429);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(response.headers.get('ratelimit-policy')).toBe('"key";q=3;w=3');
  expect(response.headers.get('ratelimit')).toBe('"key";r=0;t=1');
  expect(await problemOf(response)).toMatchObject({ code: 'rate-limited', status: 429 });
  expect(holdfast.calls.length).toBeLessThanOrEqual(calls + 1);
  // Retry-After keeps its word.
  await vi.waitFor(async () => expect((await get()).status).toBe(404), { timeout: 5_000, interval: 100 });
});

test('one key does not use up the rate of another, probes have none, and refused requests count', async () => {
  const one = testKey('one', ['read:orders'], { perSecond: 1, burst: 1 });
  const two = testKey('two', ['read:carts'], { perSecond: 1, burst: 1 });
  const { request } = await startApi({}, { keys: [one.key, two.key] });
  const first = () => request('GET', CART, { headers: one.headers });
  expect((await first()).status).toBe(403);
  await vi.waitFor(async () => expect((await first()).status).toBe(429));
  expect((await request('GET', CART, { headers: two.headers })).status).toBe(404);
  expect((await request('GET', '/livez', { headers: one.headers })).status).toBe(200);
});
