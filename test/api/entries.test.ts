import { expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const ORDER = '/v1/collections/orders/entries/o-1';
const VIEWS = '/v1/collections/page-views/entries/home';

test('PUT answers 202 with a receipt at the level that was reached', async () => {
  const { request, holdfast } = await startApi();
  const put = await request('PUT', CART, {
    body: '{"items":[1]}',
    headers: { 'content-type': 'application/json' },
  });
  expect(put.status).toBe(202);
  const receipt = (await put.json()) as Record<string, unknown>;
  expect(receipt).toEqual({ collection: 'carts', key: 'ada', version: receipt.version, state: 'queued' });
  expect(put.headers.get('etag')).toBe(`"${receipt.version}"`);
  expect(put.headers.get('content-type')).toBe('application/json');
  expect(put.headers.get('x-content-type-options')).toBe('nosniff');
  expect(put.headers.get('content-length')).not.toBeNull();
  expect(holdfast.entries.get('carts/ada')?.value).toBe('{"items":[1]}');
});

test('a persisted write answers 201 where the entry is new and 200 where it was there', async () => {
  const { request } = await startApi();
  const headers = { 'content-type': 'application/json' };
  expect((await request('PUT', ORDER, { body: '1', headers })).status).toBe(201);
  const second = await request('PUT', ORDER, { body: '2', headers });
  expect(second.status).toBe(200);
  expect(await second.json()).toMatchObject({ state: 'persisted' });
  expect((await request('DELETE', ORDER)).status).toBe(200);
});

test('DELETE answers 202 until persisted, also for an entry that is absent', async () => {
  const { request, holdfast } = await startApi();
  const response = await request('DELETE', CART);
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({ collection: 'carts', key: 'ada', state: 'queued' });
  expect(holdfast.calls.map(({ method }) => method)).toEqual(['delete']);
});

test.each([
  '9007199254740993',
  '[1e300,-0,1.10,123456789012345678901234567890]',
  '{"é":"\\u00e9 ✓ 😀","b":{"a":1,"c":null}}',
  ' \n"text" ',
  'null',
])('the value %s comes back byte for byte', async (text) => {
  const { request } = await startApi();
  await request('PUT', CART, { body: text, headers: { 'content-type': 'application/json; charset=utf-8' } });
  const response = await request('GET', CART);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe(text);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('etag')).toMatch(/^"\d+"$/);
  expect(response.headers.get('cache-control')).toBe('no-cache, no-transform');
});

test('HEAD answers as GET does, without a body', async () => {
  const { request } = await startApi();
  await request('PUT', CART, { body: Buffer.from('[1,2]') });
  const get = await request('GET', CART);
  const head = await request('HEAD', CART);
  expect(head.status).toBe(200);
  expect(head.headers.get('etag')).toBe(get.headers.get('etag'));
  expect(await head.text()).toBe('');
  expect((await request('HEAD', ORDER)).status).toBe(404);
});

test('GET of an entry that is absent or deleted is entry-not-found', async () => {
  const { request } = await startApi();
  await request('PUT', CART, { body: Buffer.from('1') });
  await request('DELETE', CART);
  for (const path of [CART, ORDER]) {
    const response = await request('GET', path);
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ code: 'entry-not-found', instance: path });
  }
});

test('Cache-Status says where the value came from', async () => {
  const { request, holdfast } = await startApi();
  await request('PUT', CART, { body: Buffer.from('1') });
  const status = async () => (await request('GET', CART)).headers.get('cache-status');
  expect(await status()).toBe('Holdfast; hit');
  holdfast.found = { source: 'row', stored: true };
  expect(await status()).toBe('Holdfast; fwd=uri-miss; stored');
  holdfast.found = { source: 'row', stored: false };
  expect(await status()).toBe('Holdfast; fwd=uri-miss');
  holdfast.found = { source: 'pending', stored: true };
  expect(await status()).toBe('Holdfast; fwd=uri-miss; stored; detail=merged-pending');
  holdfast.found = { source: 'pending', stored: false };
  expect(await status()).toBe('Holdfast; fwd=uri-miss; detail=merged-pending');
  for (const source of ['row', 'pending'] as const) {
    holdfast.found = { source, stored: false, degraded: true };
    expect(await status()).toBe('Holdfast; fwd=bypass; detail=degraded');
  }
  await request('DELETE', CART);
  holdfast.found = { source: 'row', stored: true };
  const absent = await request('GET', CART);
  expect([absent.status, absent.headers.get('cache-status')]).toEqual([
    404,
    'Holdfast; fwd=uri-miss; stored',
  ]);
});

test('a receipt has a value only where a counter was incremented', async () => {
  const { request } = await startApi();
  const members = async (method: string, path: string, init?: RequestInit) =>
    Object.keys((await (await request(method, path, init)).json()) as object);
  const body = Buffer.from('1');
  const plain = ['collection', 'key', 'version', 'state'];
  for (const path of [CART, ORDER, VIEWS]) {
    expect(await members('PUT', path, { body })).toEqual(plain);
    expect(await members('DELETE', path)).toEqual(plain);
  }
  await request('PUT', CART, { body });
  const headers = { 'content-type': 'application/merge-patch+json' };
  expect(await members('PATCH', CART, { body: '{}', headers })).toEqual(plain);
  expect(await members('POST', `${VIEWS}/increment`)).toEqual([...plain, 'value']);
});

test.each([
  ['durability=persisted', 'persisted'],
  ['durability=cached', 'cached'],
  ['return=minimal, Durability="queued"; x=y', 'queued'],
  ['foo="a, durability=cached, b", durability=persisted', 'persisted'],
  ['durability=cached, durability=persisted', 'cached'],
  ['durability=soon', undefined],
  ['', undefined],
])('Prefer: %s asks for %s', async (prefer, level) => {
  const { request, holdfast } = await startApi();
  const response = await request('PUT', CART, { body: Buffer.from('1'), headers: { prefer } });
  expect(holdfast.calls[0]?.options.durability).toBe(level);
  expect(response.headers.get('preference-applied')).toBe(level === undefined ? null : `durability=${level}`);
});

test('a preference that was not reached is answered 202 without Preference-Applied', async () => {
  const { request, holdfast } = await startApi();
  holdfast.reached = 'cached';
  const response = await request('PUT', CART, {
    body: Buffer.from('1'),
    headers: { prefer: 'durability=queued' },
  });
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({ state: 'cached' });
  expect(response.headers.get('preference-applied')).toBeNull();
});

test('an increment counts by 1, or as its body says, and answers the value', async () => {
  const { request } = await startApi();
  const increment = async (body?: string) => {
    const response = await request(
      'POST',
      `${VIEWS}/increment`,
      body === undefined ? {} : { body: Buffer.from(body) },
    );
    expect(response.status).toBe(202);
    return ((await response.json()) as { value: number }).value;
  };
  expect(await increment()).toBe(1);
  expect(await increment('{}')).toBe(2);
  expect(await increment('{"by":5}')).toBe(7);
  expect(await increment(' { "by" : -9007199254740991 } ')).toBe(-9007199254740984);
  expect(await increment('{"by":0}')).toBe(-9007199254740984);
  expect(await (await request('GET', VIEWS)).text()).toBe('-9007199254740984');
});

test.each([
  ['{"by":1.0}', '/by'],
  ['{"by":1e3}', '/by'],
  ['{"by":"1"}', '/by'],
  ['{"by":null}', '/by'],
  ['{"by":9007199254740992}', '/by'],
  ['{"by":9007199254740990.6}', '/by'],
  ['{"by":01}', '/by'],
  ['{"amount":5}', '/amount'],
  ['{"a/b~":5}', '/a~1b~0'],
  ['{"by":1,"by":2}', '/by'],
  ['5', ''],
  ['[]', ''],
  ['null', ''],
])('an increment by %s is refused, and errors names %s', async (body, path) => {
  const { request, holdfast } = await startApi();
  const response = await request('POST', `${VIEWS}/increment`, { body: Buffer.from(body) });
  expect(response.status).toBe(400);
  const problem = await problemOf(response);
  expect(problem.code).toBe('invalid-request');
  expect((problem.errors as { path: string }[])[0]?.path).toBe(path);
  expect(holdfast.calls).toEqual([]);
});

test('an increment of a document is refused', async () => {
  const { request, holdfast } = await startApi();
  const response = await request('POST', `${CART}/increment`);
  expect(response.status).toBe(400);
  expect(await problemOf(response)).toMatchObject({ code: 'invalid-request' });
  expect(holdfast.calls).toEqual([]);
});

test('an increment past the range is counter-overflow', async () => {
  const { request } = await startApi();
  await request('PUT', VIEWS, { body: Buffer.from('9007199254740991') });
  const response = await request('POST', `${VIEWS}/increment`);
  expect(response.status).toBe(409);
  expect(await problemOf(response)).toMatchObject({ code: 'counter-overflow' });
});

test.each([
  ['12', '12'],
  ['-9007199254740991', '-9007199254740991'],
  ['-0', '0'],
  [' 7\n', '7'],
])('a counter is set with %s', async (body, kept) => {
  const { request } = await startApi();
  const put = await request('PUT', VIEWS, { body: Buffer.from(body) });
  expect(put.status).toBe(202);
  expect(await (await request('GET', VIEWS)).text()).toBe(kept);
});

test.each(['12.0', '1e3', '9007199254740992', '"12"', 'null', '{"value":12}'])(
  'a counter is not set with %s',
  async (body) => {
    const { request, holdfast } = await startApi();
    const response = await request('PUT', VIEWS, { body: Buffer.from(body) });
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ code: 'invalid-request', errors: [{ path: '' }] });
    expect(holdfast.calls).toEqual([]);
  },
);

test('an explanation shows every copy of the value as it is kept', async () => {
  const { request, holdfast } = await startApi();
  holdfast.explanation = {
    cached: { version: 4, value: null },
    pending: {
      version: 6,
      value: '{"n":9007199254740993}',
      batchId: '1-abc.p00.7',
      where: 'temporal',
      workflowId: 'write-behind:p00:s03',
      runId: 'r1',
    },
    row: { version: 2, value: 'null' },
    setAside: [3, 5],
    winner: 'pending',
  };
  const response = await request('GET', `${CART}/explanation`);
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text).toContain('"value":{"n":9007199254740993}');
  expect(JSON.parse(text)).toMatchObject({
    collection: 'carts',
    key: 'ada',
    partition: 0,
    epoch: '1-abc',
    cached: { version: 4, deleted: true, value: null },
    pending: { version: 6, deleted: false, batchId: '1-abc.p00.7', where: 'temporal', runId: 'r1' },
    row: { version: 2, deleted: false, value: null },
    setAside: [3, 5],
    winner: 'pending',
  });
});

test('the collections are listed as they are configured', async () => {
  const { request } = await startApi();
  const response = await request('GET', '/v1/collections');
  expect(response.status).toBe(200);
  expect(((await response.json()) as { collections: unknown[] }).collections).toContainEqual({
    name: 'page-views',
    mode: 'write-behind',
    kind: 'counter',
    acknowledge: 'cached',
    reads: 'latest',
    cacheTtlSeconds: 60,
  });
});

test('a key travels through receipt and path unchanged', async () => {
  const { request } = await startApi();
  const key = 'a/b "c"\\ é 😀 %2F?#';
  const path = `/v1/collections/carts/entries/${encodeURIComponent(key)}`;
  const put = await request('PUT', path, { body: Buffer.from('1') });
  expect(await put.json()).toMatchObject({ key });
  expect((await request('GET', path)).status).toBe(200);
});

test.each([
  ['queue-full', 503],
  ['dependency-unavailable', 503],
  ['outcome-unknown', 503],
  ['deadline-exceeded', 504],
  ['precondition-failed', 412],
  ['counter-overflow', 409],
  ['invalid-request', 400],
  ['value-too-large', 413],
] as const)('%s of a use case is answered %i', async (code, status) => {
  const { request, holdfast, logged } = await startApi();
  holdfast.before = () => {
    throw new HoldfastError(code, 'What happened.', { retryAfterSeconds: 2.5, dependency: 'redis' });
  };
  const response = await request('POST', `${VIEWS}/increment`);
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('retry-after')).toBe(status === 503 ? '3' : null);
  expect(await problemOf(response)).toMatchObject({
    code,
    status,
    detail: 'What happened.',
    dependency: 'redis',
  });
  expect(logged.filter(({ level }) => Number(level) > 20)).toEqual([]);
});
