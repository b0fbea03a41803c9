import { expect, test } from 'vitest';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const TYPE = { 'content-type': 'application/merge-patch+json' };
const put = Buffer.from('{"id": 9007199254740993, "items": [1], "note": "x"}');

test('PATCH merges into the text of the document and answers as PUT does', async () => {
  const { request } = await startApi();
  await request('PUT', CART, { body: put });
  const patched = await request('PATCH', CART, { body: '{"items":[2],"note":null}', headers: TYPE });
  expect(patched.status).toBe(202);
  const receipt = (await patched.json()) as Record<string, unknown>;
  expect(receipt).toEqual({ collection: 'carts', key: 'ada', version: receipt.version, state: 'queued' });
  expect(patched.headers.get('etag')).toBe(`"${receipt.version}"`);
  expect(await (await request('GET', CART)).text()).toBe('{"id": 9007199254740993, "items": [2]}');
});

test('PATCH of an entry that is absent is entry-not-found, also with If-Match', async () => {
  const { request } = await startApi();
  for (const headers of [TYPE, { ...TYPE, 'if-match': '"12"' }]) {
    const response = await request('PATCH', CART, { body: '{}', headers });
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ code: 'entry-not-found' });
  }
});

test.each([
  undefined,
  'application/json',
  'application/json-patch+json',
  'application/merge-patch+jsonx',
  'application/merge-patch+json; charset=latin1',
])('a patch of type %s is 415 and names the type to send', async (type) => {
  const { request, holdfast } = await startApi();
  const body = Buffer.from('{}');
  const headers = type === undefined ? {} : { 'content-type': type };
  const response = await request('PATCH', CART, { body, headers });
  expect(response.status).toBe(415);
  expect(response.headers.get('accept-patch')).toBe('application/merge-patch+json');
  expect(await problemOf(response)).toMatchObject({ code: 'unsupported-media-type' });
  expect(holdfast.calls).toEqual([]);
});

test('the type may say that it is UTF-8', async () => {
  const { request } = await startApi();
  await request('PUT', CART, { body: put });
  const headers = { 'content-type': 'Application/Merge-Patch+JSON; charset=utf-8' };
  expect((await request('PATCH', CART, { body: '{}', headers })).status).toBe(202);
});

test.each([
  ['{"a":1,"a":2}', '/a'],
  ['{"a":{"b":"\\u0000"}}', '/a/b'],
  ['{"a":["\\ud800"]}', '/a/0'],
  ['{"a":1e400}', '/a'],
  ['{"a":', '/a'],
  ['', ''],
  [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, `/a${'/0'.repeat(99)}`],
])('the patch %s is refused at %s', async (body, path) => {
  const { request, holdfast } = await startApi();
  const response = await request('PATCH', CART, { body, headers: TYPE });
  expect(response.status).toBe(400);
  expect(await problemOf(response)).toMatchObject({ code: 'invalid-request', errors: [{ path }] });
  expect(holdfast.calls).toEqual([]);
});

test('a counter cannot be patched, and If-None-Match: * makes no sense', async () => {
  const { request, holdfast } = await startApi();
  const counter = '/v1/collections/page-views/entries/home';
  expect((await request('PATCH', counter, { body: '5', headers: TYPE })).status).toBe(400);
  const headers = { ...TYPE, 'if-none-match': '*' };
  expect((await request('PATCH', CART, { body: '{}', headers })).status).toBe(400);
  expect(holdfast.calls).toEqual([]);
});

test('preference and condition are passed on', async () => {
  const { request, holdfast } = await startApi();
  const etag = (await request('PUT', CART, { body: put })).headers.get('etag') as string;
  const headers = { ...TYPE, 'if-match': etag, prefer: 'durability=persisted' };
  const response = await request('PATCH', CART, { body: '{"a":1}', headers });
  expect(response.headers.get('preference-applied')).toBe('durability=persisted');
  expect(holdfast.calls.at(-1)?.options).toMatchObject({
    durability: 'persisted',
    condition: { ifVersion: Number(JSON.parse(etag)) },
  });
  expect((await request('PATCH', CART, { body: '{"a":1}', headers })).status).toBe(412);
});
