import { describe, expect, test } from 'vitest';
import { requireAccess } from '../../api/access.ts';
import { ROUTES } from '../../api/all-routes.ts';
import type { ApiContext } from '../../api/api-env.ts';
import { createKeyring } from '../../api/bearer.ts';
import { newApiKey } from '../../config/keys.ts';
import { testKey } from '../support/api-key.ts';
import { message, problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const ORDER = '/v1/collections/orders/entries/o-1';
const DEAD = '/ops/v1/dead-letters';

const shop = testKey('shop', ['read:carts', 'write:carts', 'read:orders']);
const reader = testKey('reader', ['read:*']);
const writer = testKey('writer', ['write:*']);
const operator = testKey('operator', ['ops']);
const keys = [shop, reader, writer, operator].map(({ key }) => key);

const json = { 'content-type': 'application/json' };

describe('API keys as bearer tokens', () => {
  test('a request with a key that may do it gets its answer', async () => {
    const { request } = await startApi({}, { keys });
    const put = await request('PUT', CART, { body: '1', headers: { ...json, ...shop.headers } });
    expect(put.status).toBe(202);
    expect((await request('GET', CART, { headers: shop.headers })).status).toBe(200);
  });

  test('the name of the scheme has no case', async () => {
    const { request } = await startApi({}, { keys });
    for (const scheme of ['bearer', 'BEARER', 'Bearer  ']) {
      const headers = { authorization: `${scheme} ${reader.token}` };
      expect((await request('GET', CART, { headers })).status).toBe(404);
    }
  });

  test('a key is found again however often and in however many forms it was sent', () => {
    const find = createKeyring(keys);
    for (let i = 0; i < 100; i += 1) {
      const header = `Bearer ${' '.repeat(i % 50)}${shop.token}`;
      expect(find(header)).toBe(shop.key);
      expect(find(`${header}0`)).toBeUndefined();
      expect(find(`Bearer ${operator.token}`)).toBe(operator.key);
    }
  });

  test('401 without one: WWW-Authenticate names the scheme, and nothing was done', async () => {
    const { request, holdfast } = await startApi({}, { keys });
    const response = await request('PUT', CART, { body: '1', headers: json });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="holdfast"');
    expect(await problemOf(response)).toMatchObject({ code: 'unauthenticated', instance: CART });
    expect(holdfast.calls).toEqual([]);
  });

  test.each([
    ['another key', `Bearer ${newApiKey()}`],
    ['a key cut short', `Bearer ${shop.token.slice(0, -1)}`],
    ['a key in capitals', `Bearer ${shop.token.toUpperCase()}`],
    ['a key and more', `Bearer ${shop.token} x`],
    ['the digest of a key', `Bearer hf_${shop.key.digest}`],
    ['no scheme', shop.token],
    ['another scheme', `Basic ${Buffer.from(`shop:${shop.token}`).toString('base64')}`],
    ['nothing', 'Bearer'],
    ['an empty header', ''],
  ])('401 with %s, said to be invalid', async (_, authorization) => {
    const { request, holdfast } = await startApi({}, { keys });
    const response = await request('GET', CART, { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(holdfast.calls).toEqual([]);
  });

  test('a key in the query is not taken', async () => {
    const { request } = await startApi({}, { keys });
    expect((await request('GET', `/v1/collections?access_token=${reader.token}`)).status).toBe(401);
  });

  test('probes need none', async () => {
    const { request } = await startApi({}, { keys });
    expect((await request('GET', '/livez')).status).toBe(200);
    expect((await request('GET', '/readyz')).status).toBe(200);
  });

  test('every other route needs one', async () => {
    const { request } = await startApi({}, { keys });
    const closed = ROUTES.filter(({ access }) => access !== 'public');
    expect(closed.length).toBeGreaterThan(8);
    for (const { method, path } of closed) {
      const response = await request(method.toUpperCase(), path.replaceAll(/:\w+/g, 'x'));
      expect(response.status, `${method} ${path}`).toBe(401);
    }
    expect(
      ROUTES.filter(({ path }) => path.startsWith('/ops/')).every(({ access }) => access === 'ops'),
    ).toBe(true);
  });
});

describe('each key has scopes', () => {
  test.each([
    ['PUT', ORDER, shop, 'write:orders'],
    ['DELETE', ORDER, shop, 'write:orders'],
    ['GET', '/v1/collections/page-views/entries/home', shop, 'read:page-views'],
    ['GET', '/v1/collections/page-views/entries/home/explanation', shop, 'read:page-views'],
    ['POST', '/v1/collections/page-views/entries/home/increment', reader, 'write:page-views'],
    ['GET', CART, writer, 'read:carts'],
    ['GET', CART, operator, 'read:carts'],
    ['GET', DEAD, shop, 'ops'],
    ['POST', `${DEAD}/1/retry`, writer, 'ops'],
    ['GET', '/v1/collections', operator, 'read:*'],
  ])('403 for %s %s names the scope that is missing', async (method, path, { headers }, scope) => {
    const { request, holdfast } = await startApi({}, { keys });
    const response = await request(method, path, { headers });
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer realm="holdfast", error="insufficient_scope", scope="${scope}"`,
    );
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'forbidden', detail: expect.stringContaining(`"${scope}"`) });
    expect(holdfast.calls).toEqual([]);
  });

  test('a key that may not use a collection does not learn whether it exists', async () => {
    const { request } = await startApi({}, { keys });
    const answer = async (collection: string, method = 'GET') => {
      const path = `/v1/collections/${collection}/entries/a`;
      const response = await request(method, path, { headers: { ...shop.headers, 'x-request-id': 'r' } });
      return [response.status, (await response.text()).replaceAll(collection, 'NAME')];
    };
    expect(await answer('page-views')).toEqual(await answer('missing'));
    expect(await answer('page-views', 'PUT')).toEqual(await answer('missing', 'PUT'));
    expect((await answer('missing'))[0]).toBe(403);
  });

  test('a key for every collection learns that one does not exist', async () => {
    const { request } = await startApi({}, { keys });
    const response = await request('GET', '/v1/collections/missing/entries/a', { headers: reader.headers });
    expect(await problemOf(response)).toMatchObject({ code: 'collection-not-found' });
  });

  test('the name of a collection is decoded before it is compared, in every form of a target', async () => {
    const { raw } = await startApi({}, { keys });
    const get = async (target: string) =>
      (await raw(message('GET', target, [`Authorization: Bearer ${shop.token}`]))).slice(9, 12);
    expect(await get('/v1/collections/%63arts/entries/a')).toBe('404');
    expect(await get('http://h/v1/collections/carts/entries/a')).toBe('404');
    expect(await get('http://h/v1/collections/%62alances/entries/a')).toBe('403');
    expect(await get('/v1/collections/balances/entries/a?/v1/collections/carts/entries/a')).toBe('403');
    expect(await get('/v1/collections/%FF/entries/a')).toBe('403');
    expect(await get('/v1/collections/carts%2F../entries/a')).toBe('403');
    expect(await get('/v1/collections/*/entries/a')).toBe('403');
  });

  test('GET /v1/collections lists those that the key may read or write', async () => {
    const { request } = await startApi({}, { keys });
    const names = async ({ headers }: { headers: { authorization: string } }) => {
      const list = (await (await request('GET', '/v1/collections', { headers })).json()) as {
        collections: { name: string }[];
      };
      return list.collections.map(({ name }) => name);
    };
    expect(await names(shop)).toEqual(['orders', 'carts']);
    expect(await names(reader)).toEqual(['orders', 'carts', 'page-views', 'balances']);
    expect(await names(writer)).toEqual(['orders', 'carts', 'page-views', 'balances']);
  });

  test('a route whose body names collections asks for each', () => {
    const c = { env: { caller: shop.key } } as unknown as ApiContext;
    expect(() => requireAccess(c, 'write', 'carts')).not.toThrow();
    expect(() => requireAccess(c, 'write', 'orders')).toThrow('"write:orders"');
    expect(() => requireAccess(c, 'read', 'no such "name"')).toThrow('"read:*"');
    // Whoever forgot to look who it is must not let everybody in.
    expect(() => requireAccess({ env: {} } as ApiContext, 'read', 'carts')).toThrow('public');
  });
});

test('who decided something with a key is named in the record of it', async () => {
  const { request, holdfast } = await startApi({}, { keys });
  const deciders: unknown[] = [];
  holdfast.operations.discardDeadLetter = async (_, decider) => void deciders.push(decider);
  await request('POST', `${DEAD}/1/discard`, {
    body: '{"reason": "old"}',
    headers: { ...json, ...operator.headers, 'x-request-id': 'r-1' },
  });
  expect(deciders).toEqual([{ reason: 'old', by: 'key operator, api r-1' }]);
});

describe('without any key', () => {
  test('everybody on this machine may do everything', async () => {
    const { request, holdfast } = await startApi();
    holdfast.operations.listDeadLetters = async () => [];
    expect((await request('PUT', CART, { body: '1', headers: json })).status).toBe(202);
    expect((await request('GET', DEAD)).status).toBe(200);
  });

  test.each([
    ['localhost:8080', 404],
    ['127.0.0.1', 404],
    ['127.3.2.1:99', 404],
    ['[::1]:8080', 404],
    ['holdfast.localhost', 404],
    ['api:8080', 404],
    ['192.168.0.7:8080', 404],
    ['holdfast.example.com', 404],
    ['HOLDFAST.example.com:8080', 404],
    ['evil.example', 403],
    ['localhost.evil.example:8080', 403],
    ['127.0.0.1.evil.example', 403],
    ['evil.example:127.0.0.1', 403],
  ])('Host: %s is answered %i: no page can make a name of its own point here', async (host, status) => {
    const { raw, holdfast } = await startApi({}, { ALLOWED_HOSTS: ['holdfast.example.com'] });
    const request = message('GET', CART).replace('Host: h', `Host: ${host}`);
    // Twice: what was seen last is remembered.
    const answers = [await raw(request), await raw(request)].map((answer) => Number(answer.slice(9, 12)));
    expect(answers).toEqual(host === 'evil.example:127.0.0.1' ? [400, 400] : [status, status]);
    expect(holdfast.calls).toHaveLength(status === 404 ? 2 : 0);
  });

  test('HTTP/1.0 without a Host is answered: browsers always send one', async () => {
    const { raw } = await startApi();
    expect((await raw(`GET ${CART} HTTP/1.0\r\n\r\n`)).slice(9, 12)).toBe('404');
  });

  test('a page of another origin cannot send what browsers send without asking', async () => {
    const { request, holdfast, port } = await startApi({}, { CORS_ORIGINS: ['https://app.example.com'] });
    const increment = async (origin: string) =>
      (await request('POST', '/v1/collections/page-views/entries/home/increment', { headers: { origin } }))
        .status;
    expect(await increment('https://evil.example')).toBe(403);
    expect(await increment('null')).toBe(403);
    expect(await increment(`http://127.0.0.1:${port + 1}`)).toBe(403);
    expect(holdfast.calls).toEqual([]);
    expect(await increment(`http://127.0.0.1:${port}`)).toBe(202);
    expect(await increment('https://app.example.com')).toBe(202);
  });
});

test('scopes hold for every collection that a batch names, and a batch tells nobody what there is', async () => {
  const { key, headers } = testKey('shop', ['write:carts', 'read:*']);
  const { request, holdfast } = await startApi({}, { keys: [key] });
  const send = (collection: string) =>
    request('POST', '/v1/batch', {
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({
        operations: [
          { op: 'put', collection: 'carts', key: 'a', value: 1 },
          { op: 'put', collection, key: 'a', value: 1 },
        ],
      }),
    });
  const [orders, nothing] = [await send('orders'), await send('nothing')];
  expect([orders.status, nothing.status]).toEqual([403, 403]);
  expect(await problemOf(orders)).toMatchObject({
    code: 'forbidden',
    detail: expect.stringContaining('write:orders'),
  });
  expect(holdfast.calls).toEqual([]);
  expect((await send('carts')).status).toBe(200);
});

test('a key that may write nothing sends no batch: it is refused before any of the body was read', async () => {
  const { raw, holdfast } = await startApi({}, { keys });
  const send = async ({ token }: { token: string }) =>
    await raw(message('POST', '/v1/batch', [`Authorization: Bearer ${token}`, 'Content-Length: 60000']));
  for (const key of [reader, operator]) {
    const answer = await send(key);
    expect(answer.slice(9, 12)).toBe('403');
    expect(answer).toContain('scope="write:*"');
  }
  expect(holdfast.calls).toEqual([]);
});
