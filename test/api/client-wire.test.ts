import { expect, test } from 'vitest';
import { createHoldfastClient } from '../../client/holdfast-client.ts';
import { HoldfastClientError } from '../../client/holdfast-error.ts';
import { startApi } from './fixture.ts';

/** A client behind a proxy that makes something else of each ETag. */
async function behindProxy(altered: (etag: string) => string) {
  const { port } = await startApi();
  const proxy: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const headers = new Headers(response.headers);
    const etag = headers.get('etag');
    if (etag !== null) headers.set('etag', altered(etag));
    return new Response(response.body, { status: response.status, headers });
  };
  return createHoldfastClient({ url: `http://127.0.0.1:${port}`, fetch: proxy }).documents('carts');
}

test.each([
  ['weak', (etag: string) => `W/${etag}`],
  ['one with a suffix', (etag: string) => etag.replace(/"$/, '-gzip"')],
])('behind a proxy that compresses and makes the ETag %s, the version is the same', async (_, altered) => {
  const carts = await behindProxy(altered);
  const { version } = await carts.put('a', 1);
  expect(await carts.get('a')).toEqual({ value: 1, version });
  expect(await carts.getText('a')).toEqual({ value: '1', version });
  const read = await carts.get('a');
  const written = await carts.put('a', 2, { ifMatch: read?.version });
  expect(written.version).toBeGreaterThan(version);
});

test('an ETag that names no version is an error, and no version NaN', async () => {
  const carts = await behindProxy(() => '"d41d8cd98f"');
  await carts.put('a', 1);
  await expect(carts.get('a')).rejects.toMatchObject({ code: 'network', outcomeUnknown: false });
});

const HALF = 'a\ud800';

test.each<[string, (client: ReturnType<typeof createHoldfastClient>) => unknown]>([
  ['a key with half of a surrogate pair, to put', (c) => c.documents('carts').put(HALF, 1)],
  ['one to patch', (c) => c.documents('carts').patch(HALF, {})],
  ['one to delete', (c) => c.documents('carts').delete(HALF)],
  ['one to increment', (c) => c.counters('page-views').increment(HALF)],
  ['one to get', (c) => c.documents('carts').get(HALF)],
  ['one to get as text', (c) => c.documents('carts').getText(HALF)],
  ['one in a prefix', (c) => c.documents('carts').list({ prefix: HALF })],
  ['one in a text', (c) => c.documents('carts').putText('a', `"${HALF}"`)],
  ['undefined', (c) => c.documents('carts').put('a', undefined)],
  ['a bigint', (c) => c.documents('carts').put('a', 1n)],
  ['a bigint in a patch', (c) => c.documents('carts').patch('a', { n: 1n })],
  ['a bigint in a batch', (c) => c.batch([{ op: 'put', collection: 'carts', key: 'a', value: 1n as never }])],
  ['no time', (c) => c.documents('carts').get('a', { deadlineMs: 0 })],
  ['a negative time', (c) => c.documents('carts').put('a', 1, { deadlineMs: -1 })],
  ['a time NaN', (c) => c.counters('page-views').increment('a', 1, { deadlineMs: Number.NaN })],
  ['a version NaN', (c) => c.documents('carts').put('a', 1, { ifMatch: Number.NaN })],
])('what cannot be sent rejects, and nothing is sent: %s', async (_, call) => {
  let sent = 0;
  const counting = (async () => {
    sent += 1;
    return new Response('null');
  }) as typeof fetch;
  // A method that throws before it returns would fail the test here.
  const outcome = call(createHoldfastClient({ url: 'http://h', fetch: counting, deadlineMs: 500 }));
  const error = await (outcome as Promise<unknown>).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HoldfastClientError);
  expect(error).toMatchObject({ code: 'invalid-request', outcomeUnknown: false });
  expect(sent).toBe(0);
});

test('a collection that can have no such name is a HoldfastClientError, too', () => {
  const client = createHoldfastClient({ url: 'http://h' });
  expect(() => client.documents(HALF)).toThrow(HoldfastClientError);
  expect(() => client.counters(HALF)).toThrow(HoldfastClientError);
});

test.each([0, -1, Number.NaN])('no client is made with the deadline %d', (deadlineMs) => {
  expect(() => createHoldfastClient({ url: 'http://h', deadlineMs })).toThrow(/deadlineMs must be above 0/);
});

test.each([2 ** 31, 3e9, Number.MAX_VALUE, Number.POSITIVE_INFINITY])(
  'a deadline of %d ms is not over at once, though no timer waits for so long',
  async (deadlineMs) => {
    const slow: typeof fetch = async (_, init) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      init?.signal?.throwIfAborted();
      return new Response('1', { headers: { etag: '"5"' } });
    };
    const entry = { value: 1, version: 5 };
    const patient = createHoldfastClient({ url: 'http://h', fetch: slow, deadlineMs });
    expect(await patient.documents('carts').get('a')).toEqual(entry);
    const client = createHoldfastClient({ url: 'http://h', fetch: slow });
    expect(await client.documents('carts').get('a', { deadlineMs })).toEqual(entry);
  },
);

test('where there is no deadline, a Retry-After that no timer waits for is not tried again at once', async () => {
  let sent = 0;
  const busy = (async () => {
    sent += 1;
    return new Response(null, { status: 503, headers: { 'retry-after': '9999999' } });
  }) as typeof fetch;
  const client = createHoldfastClient({ url: 'http://h', fetch: busy, deadlineMs: Number.POSITIVE_INFINITY });
  const signal = AbortSignal.timeout(100);
  await expect(client.documents('carts').get('a', { signal })).rejects.toThrow(DOMException);
  expect(sent).toBe(1);
});
