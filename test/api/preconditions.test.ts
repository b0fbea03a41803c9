import { expect, test } from 'vitest';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const one = Buffer.from('1');

test('If-Match with the current version writes, with another one it is 412 carrying the current version', async () => {
  const { request } = await startApi();
  const etag = (await request('PUT', CART, { body: one })).headers.get('etag') as string;
  const second = await request('PUT', CART, { body: one, headers: { 'if-match': etag } });
  expect(second.status).toBe(202);
  const current = second.headers.get('etag') as string;
  for (const method of ['PUT', 'DELETE']) {
    const refused = await request(method, CART, {
      ...(method === 'PUT' ? { body: one } : {}),
      headers: { 'if-match': etag },
    });
    expect(refused.status).toBe(412);
    expect(refused.headers.get('etag')).toBe(current);
    expect(await problemOf(refused)).toMatchObject({
      code: 'precondition-failed',
      currentVersion: JSON.parse(JSON.parse(current)),
    });
  }
});

test('If-Match on an entry that does not exist is 412 with version 0 and no ETag', async () => {
  const { request } = await startApi();
  const refused = await request('PUT', CART, { body: one, headers: { 'if-match': '"4"' } });
  expect(refused.status).toBe(412);
  expect(refused.headers.get('etag')).toBeNull();
  expect(await problemOf(refused)).toMatchObject({ currentVersion: 0 });
});

test('If-None-Match: * writes only where there is no entry', async () => {
  const { request, holdfast } = await startApi();
  const headers = { 'if-none-match': '*' };
  expect((await request('PUT', CART, { body: one, headers })).status).toBe(202);
  expect((await request('PUT', CART, { body: one, headers })).status).toBe(412);
  expect(holdfast.calls[0]?.options.condition).toEqual({ ifAbsent: true });
});

test('an increment takes a condition too', async () => {
  const { request, holdfast } = await startApi();
  await request('POST', '/v1/collections/page-views/entries/home/increment', {
    headers: { 'if-match': '"12"' },
  });
  expect(holdfast.calls[0]?.options.condition).toEqual({ ifVersion: 12 });
});

test.each([
  ['PUT', { 'if-match': '*' }],
  ['PUT', { 'if-match': '12' }],
  ['PUT', { 'if-match': 'W/"12"' }],
  ['PUT', { 'if-match': '"12", "13"' }],
  ['PUT', { 'if-match': '"abc"' }],
  ['PUT', { 'if-match': '"0"' }],
  ['PUT', { 'if-match': '"9007199254740993"' }],
  ['PUT', { 'if-none-match': '"12"' }],
  ['PUT', { 'if-match': '"12"', 'if-none-match': '*' }],
  ['DELETE', { 'if-none-match': '*' }],
])('a condition that is not understood is refused, never ignored: %s %o', async (method, headers) => {
  const { request, holdfast } = await startApi();
  const response = await request(method, CART, { ...(method === 'PUT' ? { body: one } : {}), headers });
  expect(response.status).toBe(400);
  expect(await problemOf(response)).toMatchObject({ code: 'invalid-request' });
  expect(holdfast.calls).toEqual([]);
});

test('a weak ETag in If-Match is told from other mistakes, and what made it weak', async () => {
  const { request } = await startApi();
  const refused = await request('PUT', CART, { body: one, headers: { 'if-match': 'W/"12"' } });
  expect(await problemOf(refused)).toMatchObject({ detail: expect.stringMatching(/weak ETag.*proxy/) });
});

test('GET with If-None-Match is 304 while the version is the same', async () => {
  const { request } = await startApi();
  const etag = (await request('PUT', CART, { body: one })).headers.get('etag') as string;
  for (const value of [etag, `W/${etag}`, `"1", ${etag}`, '*']) {
    const response = await request('GET', CART, { headers: { 'if-none-match': value } });
    expect(response.status).toBe(304);
    expect(response.headers.get('etag')).toBe(etag);
    expect(response.headers.get('cache-status')).toBe('Holdfast; hit');
    expect(await response.text()).toBe('');
  }
  const other = await request('GET', CART, { headers: { 'if-none-match': '"1", W/"2"' } });
  expect(other.status).toBe(200);
  expect((await request('HEAD', CART, { headers: { 'if-none-match': etag } })).status).toBe(304);
});

test('GET with If-None-Match of an entry that is gone is 404', async () => {
  const { request } = await startApi();
  expect((await request('GET', CART, { headers: { 'if-none-match': '*' } })).status).toBe(404);
});
