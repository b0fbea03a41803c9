import { expect, test } from 'vitest';
import { testKey } from '../support/api-key.ts';
import { startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const APP = 'https://app.example.com';
const { key, headers: authorization } = testKey('app', ['read:*', 'write:*']);
const settings = { keys: [key], CORS_ORIGINS: [APP, 'http://localhost:5173'] };

const preflight = (origin: string) => ({
  headers: {
    origin,
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'authorization, content-type, if-match, prefer, idempotency-key',
  },
});

const list = (response: Response, name: string) => response.headers.get(name)?.split(', ') ?? [];

test('CORS is off unless configured: OPTIONS is 405, and no answer lets a page read it', async () => {
  const { request } = await startApi({}, { keys: [key] });
  expect((await request('OPTIONS', CART, preflight(APP))).status).toBe(405);
  const response = await request('GET', CART, { headers: { ...authorization, origin: APP } });
  expect(response.status).toBe(404);
  const names = [...response.headers.keys()];
  expect(names.filter((name) => name.startsWith('access-control') || name === 'vary')).toEqual([]);
});

test('a preflight of a configured origin needs no key and names the methods and headers of the API', async () => {
  const { request } = await startApi({}, settings);
  const response = await request('OPTIONS', CART, preflight(APP));
  expect(response.status).toBe(204);
  expect(await response.text()).toBe('');
  expect(response.headers.get('access-control-allow-origin')).toBe(APP);
  expect(response.headers.get('vary')).toBe('origin');
  expect(list(response, 'access-control-allow-methods')).toEqual([
    'GET',
    'HEAD',
    'PUT',
    'PATCH',
    'POST',
    'DELETE',
  ]);
  expect(list(response, 'access-control-allow-headers')).toEqual(
    expect.arrayContaining([
      'authorization',
      'content-type',
      'if-match',
      'if-none-match',
      'prefer',
      'idempotency-key',
      'x-request-id',
    ]),
  );
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
});

test('answers to a configured origin can be read by its pages, headers and problems included', async () => {
  const { request } = await startApi({}, settings);
  const headers = { ...authorization, origin: 'http://localhost:5173', 'content-type': 'application/json' };
  const put = await request('PUT', CART, { body: '1', headers });
  expect(put.status).toBe(202);
  const get = await request('GET', CART, { headers });
  expect([get.status, await get.text(), get.headers.get('content-type')]).toEqual([
    200,
    '1',
    'application/json',
  ]);
  const none = await request('GET', '/nothing', { headers });
  const unauthenticated = await request('GET', CART, { headers: { origin: 'http://localhost:5173' } });
  expect(unauthenticated.status).toBe(401);
  for (const response of [put, get, none, unauthenticated]) {
    expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    expect(response.headers.get('vary')).toBe('origin');
    expect(list(response, 'access-control-expose-headers')).toEqual(
      expect.arrayContaining([
        'etag',
        'retry-after',
        'x-request-id',
        'preference-applied',
        'idempotent-replayed',
        'cache-status',
      ]),
    );
  }
});

test('another origin, and one that only looks alike, gets nothing of it', async () => {
  const { request } = await startApi({}, settings);
  for (const origin of ['https://evil.example', `${APP}.evil.example`, 'http://app.example.com', 'null']) {
    expect((await request('OPTIONS', CART, preflight(origin))).status).toBe(405);
    const response = await request('GET', CART, { headers: { ...authorization, origin } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    // Else a shared cache would give this answer to a page that may read it.
    expect(response.headers.get('vary')).toBe('origin');
  }
});

test('an OPTIONS that is no preflight is 405', async () => {
  const { request } = await startApi({}, settings);
  expect((await request('OPTIONS', CART, { headers: { origin: APP } })).status).toBe(405);
});
