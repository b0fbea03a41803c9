import { expect, test } from 'vitest';
import { createHoldfastClient } from '../../client/holdfast-client.ts';
import { HoldfastClientError } from '../../client/holdfast-error.ts';
import { type ErrorCode, HoldfastError } from '../../domain/errors.ts';
import { testKey } from '../support/api-key.ts';
import { type ApiFixture, startApi } from './fixture.ts';

interface Cart {
  readonly items: readonly string[];
}

/** A client of an API, and its requests as they were sent. */
async function clientOf(api: ApiFixture, options: { key?: string; deadlineMs?: number } = {}) {
  const sent: Request[] = [];
  const client = createHoldfastClient({
    url: `http://127.0.0.1:${api.port}/`,
    ...options,
    fetch: (input, init) => {
      sent.push(new Request(input, init));
      return fetch(input, init);
    },
  });
  return { client, sent, carts: client.documents<Cart>('carts'), views: client.counters('page-views') };
}

/** The service fails like that so many times, then works. */
function failing({ holdfast }: ApiFixture, times: number, code: ErrorCode, details = {}): void {
  let left = times;
  holdfast.before = () => {
    if (left-- > 0) throw new HoldfastError(code, 'What happened.', details);
  };
}

async function errorOf(work: Promise<unknown>): Promise<HoldfastClientError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof HoldfastClientError)) throw new Error(`no HoldfastClientError: ${error}`);
  return error;
}

test('documents: put, get, patch, delete, and what is absent', async () => {
  const { carts } = await clientOf(await startApi());
  expect(await carts.get('ada/ö?')).toBeUndefined();
  const receipt = await carts.put('ada/ö?', { items: ['tea'] });
  expect(receipt).toMatchObject({ collection: 'carts', key: 'ada/ö?', state: 'queued' });
  expect(await carts.get('ada/ö?')).toEqual({ value: { items: ['tea'] }, version: receipt.version });
  await carts.patch('ada/ö?', { items: ['milk'] });
  expect((await carts.get('ada/ö?'))?.value).toEqual({ items: ['milk'] });
  await carts.delete('ada/ö?');
  expect(await carts.get('ada/ö?')).toBeUndefined();
});

test('numbers beyond 2^53 survive as text', async () => {
  const { carts } = await clientOf(await startApi());
  await carts.putText('a', '{"n": 12345678901234567890}');
  expect((await carts.getText('a'))?.value).toBe('{"n": 12345678901234567890}');
});

test('counters, many keys, a page and a batch', async () => {
  const { client, carts, views } = await clientOf(await startApi());
  expect(await views.increment('home', 5)).toMatchObject({ value: 5, state: 'cached' });
  expect((await views.increment('home')).value).toBe(6);
  await carts.put('a', { items: [] });
  expect([...(await carts.getMany(['a', 'b'])).keys()]).toEqual(['a']);
  expect((await carts.list({ prefix: 'a', limit: 10 })).entries.map(({ key }) => key)).toEqual(['a']);
  const results = await client.batch([
    { op: 'increment', collection: 'page-views', key: 'home', by: 1 },
    { op: 'delete', collection: 'carts', key: 'a', ifMatch: 2 },
  ]);
  expect(results).toMatchObject([{ value: 7 }, { code: 'precondition-failed' }]);
});

test('what a write asks for is in its headers', async () => {
  const api = await startApi();
  const { carts, sent } = await clientOf(api);
  await carts.put('a', { items: [] }, { durability: 'persisted', ifAbsent: true, idempotencyKey: true });
  const headers = sent[0]?.headers;
  expect(headers?.get('prefer')).toBe('durability=persisted');
  expect(headers?.get('if-none-match')).toBe('*');
  expect(headers?.get('idempotency-key')).toMatch(/^[0-9a-f-]{36}$/);
  const error = await errorOf(carts.put('a', { items: [] }, { ifMatch: 4 }));
  expect(error).toMatchObject({ code: 'precondition-failed', outcomeUnknown: false });
  expect(error.problem?.currentVersion).toBeGreaterThan(4);
});

test('a key is sent as a bearer token', async () => {
  const { key, headers } = testKey('app', ['read:carts']);
  const api = await startApi({}, { keys: [key] });
  const { carts } = await clientOf(api, { key: headers.authorization.replace('Bearer ', '') });
  expect(await carts.get('a')).toBeUndefined();
  expect(await errorOf(carts.put('a', { items: [] }))).toMatchObject({ code: 'forbidden' });
  expect(await errorOf((await clientOf(api)).carts.get('a'))).toMatchObject({ code: 'unauthenticated' });
});

test('what certainly did not happen is tried again, an increment too', async () => {
  const api = await startApi();
  failing(api, 2, 'queue-full', { retryAfterSeconds: 1 });
  const { views, sent } = await clientOf(api);
  const began = performance.now();
  expect((await views.increment('home')).value).toBe(1);
  expect(sent).toHaveLength(3);
  // Twice as long as the server asked for.
  expect(performance.now() - began).toBeGreaterThan(1_900);
});

test('an increment whose outcome is unknown is not sent again, unless it has a key, which stays the same', async () => {
  const api = await startApi();
  failing(api, 1, 'outcome-unknown');
  const { views, sent } = await clientOf(api);
  const error = await errorOf(views.increment('home'));
  expect(error).toMatchObject({ code: 'outcome-unknown', outcomeUnknown: true });
  expect(sent).toHaveLength(1);
  failing(api, 1, 'outcome-unknown');
  expect((await views.increment('home', 1, { idempotencyKey: true })).value).toBe(1);
  const keys = sent.slice(1).map(({ headers }) => headers.get('idempotency-key'));
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBe(keys[1]);
});

test('a put is sent again where its outcome is unknown, a conditional one is not', async () => {
  const api = await startApi();
  failing(api, 1, 'outcome-unknown');
  const { carts } = await clientOf(api);
  await carts.put('a', { items: [] });
  failing(api, 1, 'outcome-unknown');
  expect(await errorOf(carts.put('a', { items: [] }, { ifMatch: 4 }))).toMatchObject({
    code: 'outcome-unknown',
  });
});

test('the deadline holds for all tries together, and a doubt of the first one is not forgotten', async () => {
  const api = await startApi();
  let calls = 0;
  api.holdfast.before = () => {
    throw new HoldfastError(calls++ === 0 ? 'outcome-unknown' : 'queue-full', 'What happened.');
  };
  const { carts } = await clientOf(api, { deadlineMs: 2_500 });
  expect(await errorOf(carts.put('a', { items: [] }))).toMatchObject({
    code: 'queue-full',
    outcomeUnknown: true,
  });
  expect(calls).toBeGreaterThan(1);
});

test('no answer in time, no server, and a call that was given up', async () => {
  const api = await startApi();
  const { carts } = await clientOf(api, { deadlineMs: 300 });
  api.holdfast.before = () => new Promise(() => {});
  expect(await errorOf(carts.get('a'))).toMatchObject({ code: 'deadline', outcomeUnknown: false });
  expect(await errorOf(carts.put('a', { items: [] }))).toMatchObject({
    code: 'deadline',
    outcomeUnknown: true,
  });
  const reason = new Error('enough');
  await expect(carts.get('a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const nobody = createHoldfastClient({ url: 'http://127.0.0.1:1', deadlineMs: 200 }).documents('carts');
  expect(await errorOf(nobody.get('a'))).toMatchObject({ code: 'network', outcomeUnknown: false });
});

test('an answer of somebody else, such as a proxy, is no answer', async () => {
  const proxy = (async () => new Response('<h1>Bad gateway</h1>', { status: 502 })) as typeof fetch;
  const client = createHoldfastClient({ url: 'http://h', deadlineMs: 100, fetch: proxy });
  expect(await errorOf(client.counters('page-views').increment('a'))).toMatchObject({
    code: 'network',
    outcomeUnknown: true,
  });
  expect(await errorOf(client.documents('carts').get('a'))).toMatchObject({
    code: 'network',
    outcomeUnknown: false,
  });
});

test('a read that failed has no unknown outcome, whatever the server says', async () => {
  const api = await startApi();
  api.holdfast.before = () => {
    // Longer than the call may take: it is not tried again.
    throw new HoldfastError('outcome-unknown', 'What happened.', { retryAfterSeconds: 60 });
  };
  const { carts } = await clientOf(api);
  for (const read of [() => carts.get('a'), () => carts.getMany(['a']), () => carts.list()]) {
    expect(await errorOf(read())).toMatchObject({ code: 'outcome-unknown', outcomeUnknown: false });
  }
  api.holdfast.before = () => {
    throw new Error('unforeseen');
  };
  expect(await errorOf(carts.get('a'))).toMatchObject({ code: 'internal', outcomeUnknown: false });
});

test.each(['127.0.0.1:8080', 'localhost:8080', 'ftp://h', 'http://me:secret@h', 'http://h?a=1', ''])(
  'no client is made of the address "%s"',
  (url) => {
    expect(() => createHoldfastClient({ url })).toThrow(/The url of the API/);
  },
);

test('what no header can hold fails at once, and is not sent', async () => {
  const { views, sent } = await clientOf(await startApi());
  const error = await errorOf(views.increment('home', 1, { idempotencyKey: 'order → 1' }));
  expect(error).toMatchObject({ code: 'invalid-request', outcomeUnknown: false });
  expect(error.message).toMatch(/idempotency-key/);
  expect(sent).toEqual([]);
  expect(() => createHoldfastClient({ url: 'http://h', key: 'a\nb' })).toThrow(/The key/);
});

/** Answers the first request with that, and the others as the API does. */
function firstAnswered(response: () => Response): typeof fetch {
  let first = true;
  return (input, init) => {
    if (!first) return fetch(input, init);
    first = false;
    return Promise.resolve(response());
  };
}

const cutOff = () =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from('{"items":'));
      controller.error(new TypeError('terminated'));
    },
  });

test.each<[string, () => Response]>([
  ['a connection that breaks inside the body', () => new Response(cutOff())],
  ['a body that is cut off', () => new Response('{"items":')],
  ['a page of a proxy', () => new Response('<h1>Welcome</h1>', { headers: { 'content-type': 'text/html' } })],
])(
  '%s is no answer: what may be repeated is, and other writes have an unknown outcome',
  async (_, answer) => {
    const api = await startApi();
    const clientWith = (fetchOf: typeof fetch) =>
      createHoldfastClient({ url: `http://127.0.0.1:${api.port}`, fetch: fetchOf, deadlineMs: 5_000 });
    const first = () => clientWith(firstAnswered(answer));
    await first().documents('carts').put('a', { items: [] });
    expect((await first().documents('carts').get('a'))?.value).toEqual({ items: [] });
    expect((await first().documents('carts').getText('a'))?.value).toBe('{"items":[]}');
    expect((await first().documents('carts').getMany(['a'])).size).toBe(1);
    expect((await first().documents('carts').list()).entries).toHaveLength(1);
    for (const write of [
      first().counters('page-views').increment('home'),
      first().batch([{ op: 'increment', collection: 'page-views', key: 'home' }]),
    ]) {
      expect(await errorOf(write)).toMatchObject({ code: 'network', outcomeUnknown: true });
    }
  },
);
