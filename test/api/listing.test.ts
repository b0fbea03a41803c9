import { expect, test } from 'vitest';
import { problemOf, startApi } from './fixture.ts';

const PATH = '/v1/collections/carts/entries';

test('entries are listed with their text, their version and a cursor', async () => {
  const { request, holdfast } = await startApi();
  holdfast.entries.set('carts/a', { version: 1_790_000_000_000_000, value: '{"n": 9007199254740993}' });
  holdfast.entries.set('carts/b', { version: 1_790_000_000_000_002, value: null });
  holdfast.entries.set('carts/c "é"', { version: 1_790_000_000_000_004, value: 'null' });
  holdfast.entries.set('orders/d', { version: 4, value: '1' });
  const first = await request('GET', `${PATH}?limit=1`);
  expect(first.status).toBe(200);
  expect(await first.text()).toBe(
    '{"entries":[{"key":"a","value":{"n": 9007199254740993},"version":1790000000000000,"updatedAt":"2026-09-21T14:13:20.000Z"}],"next":"a"}',
  );
  expect(await (await request('GET', `${PATH}?after=a&limit=1`)).json()).toMatchObject({
    entries: [{ key: 'c "é"', value: null }],
    next: null,
  });
});

test.each([
  ['', { after: '', prefix: '', limit: 100 }],
  ['?', { after: '', prefix: '', limit: 100 }],
  ['?limit=1000&after=a%2Fb%26&prefix=a+b%2B%C3%A9', { after: 'a/b&', prefix: 'a b+é', limit: 1000 }],
])('the query %s asks for %j', async (query, page) => {
  const { request, holdfast } = await startApi();
  expect((await request('GET', PATH + query)).status).toBe(200);
  expect(JSON.parse(holdfast.calls[0]?.key ?? '')).toEqual(page);
});

test.each([
  ['?limit=0', 'limit'],
  ['?limit=1001', 'limit'],
  ['?limit=1.5', 'limit'],
  ['?limit=', 'limit'],
  ['?after=', 'after'],
  ['?prefix=a%00', 'prefix'],
  [`?after=${'x'.repeat(513)}`, 'after'],
  ['?prefix=%ff', 'UTF-8'],
  ['?prefix=%ed%a0%80', 'UTF-8'],
  ['?prefix=a&prefix=b', 'twice'],
  ['?cursor=a', '"cursor"'],
  ['?cursor', '"cursor"'],
])('the query %s is refused, and the answer names %s', async (query, named) => {
  const { request, holdfast } = await startApi();
  const response = await request('GET', PATH + query);
  expect(response.status).toBe(400);
  expect(await problemOf(response)).toMatchObject({
    code: 'invalid-request',
    detail: expect.stringContaining(named),
  });
  expect(holdfast.calls).toEqual([]);
});

test('an unknown collection is 404', async () => {
  const { request } = await startApi();
  expect((await request('GET', '/v1/collections/nope/entries')).status).toBe(404);
});
