import { expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import { type ApiFixture, problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const VIEWS = '/v1/collections/page-views/entries/home';
const JSON_TYPE = { 'content-type': 'application/json' };

/** What the use case was told of the last write. */
const told = ({ holdfast }: ApiFixture) => holdfast.calls.at(-1)?.options.idempotency;

async function put(api: ApiFixture, key: string, body = '{"n":1}', headers: Record<string, string> = {}) {
  const response = await api.request('PUT', CART, {
    headers: { ...JSON_TYPE, 'idempotency-key': key, ...headers },
    body,
  });
  await response.arrayBuffer();
  return told(api);
}

test('Idempotency-Key: the same key and body are the same write, with or without quotes and whatever level is preferred', async () => {
  const api = await startApi();
  const first = await put(api, 'b6f3');
  expect(first).toEqual({
    key: expect.stringMatching(/^[\w-]{22}$/),
    fingerprint: expect.stringMatching(/^[\w-]{22}$/),
  });
  expect(await put(api, '"b6f3"')).toEqual(first);
  expect(await put(api, 'b6f3', '{"n":1}', { prefer: 'durability=persisted' })).toEqual(first);
});

test('Idempotency-Key: another body, condition or operation is another request under the same key', async () => {
  const api = await startApi();
  const first = await put(api, 'k');
  const others = [
    await put(api, 'k', '{"n":2}'),
    await put(api, 'k', '{"n":1}', { 'if-none-match': '*' }),
    await put(api, 'k', '{"n":1}', { 'if-match': '"4"' }),
  ];
  await api.request('DELETE', CART, { headers: { 'idempotency-key': 'k' } });
  others.push(told(api));
  expect(new Set([first, ...others].map((one) => one?.key)).size).toBe(1);
  expect(new Set([first, ...others].map((one) => one?.fingerprint)).size).toBe(5);
});

test('Idempotency-Key: another key, or the same for another entry, is another write', async () => {
  const api = await startApi();
  const keys = new Set([(await put(api, 'k'))?.key, (await put(api, 'k2'))?.key]);
  await api.request('PUT', `${CART}2`, {
    headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
    body: '{"n":1}',
  });
  keys.add(told(api)?.key);
  expect(keys.size).toBe(3);
});

test('Idempotency-Key of an increment: {"by": 1} and an empty body are the same', async () => {
  const api = await startApi();
  const seen = [];
  for (const body of ['', '{"by": 1}', '{"by": 2}']) {
    const headers = { ...JSON_TYPE, 'idempotency-key': 'k' };
    expect((await api.request('POST', `${VIEWS}/increment`, { headers, body })).status).toBe(202);
    seen.push(told(api)?.fingerprint);
  }
  expect(seen[0]).toBe(seen[1]);
  expect(seen[2]).not.toBe(seen[0]);
});

test('a write without a key says nothing of one', async () => {
  const api = await startApi();
  await api.request('PUT', CART, { headers: JSON_TYPE, body: '1' });
  expect(told(api)).toBeUndefined();
});

test.each(['', '""', ' ', 'a b', 'a, b', 'ä', 'x'.repeat(256)])(
  'the Idempotency-Key %j is refused, and nothing happens',
  async (key) => {
    const api = await startApi();
    const response = await api.request('PUT', CART, {
      headers: { ...JSON_TYPE, 'idempotency-key': key },
      body: '1',
    });
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ code: 'invalid-request' });
    expect(api.holdfast.calls).toEqual([]);
  },
);

test('Idempotent-Replayed: true says that the write happened before; the receipt is that one', async () => {
  const api = await startApi();
  const original = api.holdfast.put;
  api.holdfast.put = async (...args) => ({ ...(await original(...args)), replayed: true });
  const response = await api.request('PUT', CART, {
    headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
    body: '1',
  });
  expect(response.status).toBe(202);
  expect(response.headers.get('idempotent-replayed')).toBe('true');
  api.holdfast.put = original;
  const first = await api.request('PUT', CART, {
    headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
    body: '1',
  });
  expect(first.headers.has('idempotent-replayed')).toBe(false);
});

test('422 idempotency-key-reused: another body', async () => {
  const api = await startApi();
  api.holdfast.before = () => {
    throw new HoldfastError('idempotency-key-reused', 'Use another.');
  };
  const response = await api.request('PUT', CART, {
    headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
    body: '1',
  });
  expect(response.status).toBe(422);
  expect(await problemOf(response)).toMatchObject({ code: 'idempotency-key-reused', status: 422 });
});

test('Idempotency-Key of a batch: a record for each operation, also where two write one entry', async () => {
  const api = await startApi();
  const send = async (operations: readonly object[]) => {
    const before = api.holdfast.calls.length;
    const response = await api.request('POST', '/v1/batch', {
      headers: { ...JSON_TYPE, 'idempotency-key': 'k' },
      body: JSON.stringify({ operations }),
    });
    expect(response.status).toBe(200);
    return api.holdfast.calls.slice(before).map(({ options }) => options.idempotency);
  };
  const put = { op: 'put', collection: 'carts', key: 'ada', value: 1 };
  const first = await send([put, put, { ...put, op: 'delete', value: undefined }]);
  expect(new Set(first.map((one) => one?.key)).size).toBe(3);
  expect(await send([put, put, { ...put, op: 'delete', value: undefined }])).toEqual(first);
  const [other] = await send([{ ...put, value: 2 }]);
  expect(other?.key).toBe(first[0]?.key);
  expect(other?.fingerprint).not.toBe(first[0]?.fingerprint);
});
