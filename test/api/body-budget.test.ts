import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { testKey } from '../support/api-key.ts';
import { door } from '../support/door.ts';
import { type ApiFixture, answerToEndlessBody, message, problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';

const bodyOf = (bytes: number) => ({ body: Buffer.from(JSON.stringify('x'.repeat(bytes - 2))) });
const put = async ({ request }: ApiFixture, bytes: number) =>
  (await request('PUT', CART, bodyOf(bytes))).status;

test('past the bytes that bodies of writes may have together, writes are 503 until others have their answers', async () => {
  const api = await startApi({ MAX_BODY_BYTES_IN_FLIGHT: 100 });
  const { request, holdfast } = api;
  const { wait, open } = door();
  holdfast.before = ({ method }) => (method === 'put' ? wait : undefined);
  const waiting = put(api, 60);
  await vi.waitFor(() => expect(holdfast.calls).toHaveLength(1));
  const refused = await request('PUT', CART, bodyOf(41));
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  const detail = expect.stringContaining('100 bytes');
  expect(await problemOf(refused)).toMatchObject({ code: 'overloaded', detail });
  const alsoWaiting = put(api, 40);
  await vi.waitFor(() => expect(holdfast.calls).toHaveLength(2));
  expect(await put(api, 3)).toBe(503);
  open();
  expect([await waiting, await alsoWaiting]).toEqual([202, 202]);
  expect(await put(api, 100)).toBe(202);
});

test('bodies of writes take no room from those of reads and of operators', async () => {
  const api = await startApi({ MAX_BODY_BYTES_IN_FLIGHT: 100 });
  const { request, holdfast } = api;
  const { wait, open } = door();
  holdfast.before = ({ method }) => (method === 'put' ? wait : undefined);
  holdfast.operations.discardDeadLetter = async () => undefined;
  const waiting = put(api, 100);
  await vi.waitFor(() => expect(holdfast.calls).toHaveLength(1));
  expect((await request('GET', CART)).status).toBe(404);
  expect((await request('DELETE', CART)).status).toBe(202);
  const keys = { body: Buffer.from('{"keys": ["a"]}') };
  expect((await request('POST', '/v1/collections/carts/read', keys)).status).toBe(200);
  const decision = { body: Buffer.from('{"reason": "old"}') };
  expect((await request('POST', '/ops/v1/dead-letters/1/discard', decision)).status).toBe(200);
  open();
  expect(await waiting).toBe(202);
});

test('a body counts as it arrives, and no more once its connection has ended', async () => {
  const api = await startApi({ MAX_BODY_BYTES_IN_FLIGHT: 100, REQUEST_DEADLINE_MS: 60_000 });
  const slow = connect(api.port, '127.0.0.1');
  slow.write(message('PUT', CART, ['Content-Length: 100'], ' '.repeat(60)));
  await vi.waitFor(async () => expect(await put(api, 41)).toBe(503));
  expect(await put(api, 40)).toBe(202);
  slow.destroy();
  await vi.waitFor(async () => expect(await put(api, 100)).toBe(202));
});

test('an endless body that others leave no room for is answered, and cut off', async () => {
  const { port, holdfast } = await startApi({ MAX_VALUE_BYTES: 1_000, MAX_BODY_BYTES_IN_FLIGHT: 100 });
  const answer = await answerToEndlessBody(port, CART);
  expect(answer.slice(9, 12)).toBe('503');
  expect(answer).toContain('"code":"overloaded"');
  expect(holdfast.calls).toEqual([]);
});

test('whatever a request comes to, its body is given back', async () => {
  const { key, headers } = testKey('shop', ['write:carts']);
  const limits = { MAX_VALUE_BYTES: 80, MAX_BATCH_BYTES: 100, MAX_BODY_BYTES_IN_FLIGHT: 100 };
  const { request, raw, holdfast } = await startApi(
    { ...limits, REQUEST_DEADLINE_MS: 1_000 },
    { keys: [key] },
  );
  const send = async (method: string, path: string, body: string) =>
    (await request(method, path, { body: Buffer.from(body), headers })).status;
  const access = `Authorization: ${headers.authorization}`;
  const chunked = message('PUT', CART, [access, 'Transfer-Encoding: chunked']);
  const other = '{"operations":[{"op":"delete","collection":"orders","key":"a"}]}';
  expect(await send('PUT', CART, '{'.repeat(70))).toBe(400);
  expect(await send('POST', '/v1/batch', other)).toBe(403);
  const tooMuch = await raw(chunked, `32\r\n${' '.repeat(50)}\r\n`, `32\r\n${' '.repeat(50)}\r\n`);
  expect(tooMuch.slice(9, 12)).toBe('413');
  const late = await raw(message('PUT', CART, [access, 'Content-Length: 80'], ' '.repeat(70)));
  expect(late.slice(9, 12)).toBe('408');
  holdfast.before = () => {
    throw new TypeError('a mistake');
  };
  expect(await send('PUT', CART, JSON.stringify('x'.repeat(70)))).toBe(500);
  holdfast.before = () => {};
  // All of it is there again.
  const whole = '{"operations":[{"op":"delete","collection":"carts","key":"a"}]}'.padEnd(100);
  expect(await send('POST', '/v1/batch', whole)).toBe(200);
});
