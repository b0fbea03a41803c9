import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { answerToEndlessBody, message, problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';

const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

test.each([
  ['nothing', ''],
  ['an open object', '{'],
  ['a trailing comma', '[1,]'],
  ['no JSON value', 'undefined'],
  ['single quotes', "{'a':1}"],
  ['NUL', '"\\u0000"'],
  ['half of a surrogate pair', '"\\ud800"'],
  ['a member twice', '{"a":1,"a":2}'],
  ['a number without bounds', '1e400'],
  ['a byte order mark', '\ufeff1'],
  ['deep nesting', '['.repeat(200) + ']'.repeat(200)],
])('a body with %s is refused', async (_, body) => {
  const { request, holdfast } = await startApi();
  const response = await request('PUT', CART, { body: Buffer.from(body) });
  expect(response.status).toBe(400);
  const problem = await problemOf(response);
  expect(problem).toMatchObject({ code: 'invalid-request', errors: [{ message: expect.any(String) }] });
  expect(holdfast.calls).toEqual([]);
});

test('a problem of the body names the member it is in', async () => {
  const { request } = await startApi();
  const response = await request('PUT', CART, { body: Buffer.from('{"a":[0,{"b":1e999}]}') });
  expect(await problemOf(response)).toMatchObject({ errors: [{ path: '/a/1/b' }] });
});

test('a body that is not UTF-8 is refused', async () => {
  const { request, holdfast } = await startApi();
  const response = await request('PUT', CART, { body: Buffer.from([0x22, 0xff, 0x22]) });
  expect(response.status).toBe(400);
  expect(holdfast.calls).toEqual([]);
});

test.each([
  ['application/json', 202],
  ['APPLICATION/JSON; Charset="UTF-8"', 202],
  ['application/vnd.cart+json', 202],
  ['application/json;charset=latin1', 415],
  ['application/x-www-form-urlencoded', 415],
  ['text/plain', 415],
  ['application/jsonp', 415],
])('Content-Type: %s is answered %i', async (type, status) => {
  const { request } = await startApi();
  const response = await request('PUT', CART, { body: '1', headers: { 'content-type': type } });
  expect(response.status).toBe(status);
  if (status === 415) expect(await problemOf(response)).toMatchObject({ code: 'unsupported-media-type' });
});

test('a compressed body is 415', async () => {
  const { request } = await startApi();
  const response = await request('PUT', CART, {
    body: Buffer.from('1'),
    headers: { 'content-encoding': 'gzip' },
  });
  expect(response.status).toBe(415);
});

test('a body of exactly the limit is accepted, one byte more is value-too-large', async () => {
  const { request, holdfast } = await startApi({ MAX_VALUE_BYTES: 100 });
  const text = JSON.stringify('x'.repeat(98));
  expect((await request('PUT', CART, { body: Buffer.from(text) })).status).toBe(202);
  const response = await request('PUT', CART, { body: Buffer.from(`${text} `) });
  expect(response.status).toBe(413);
  expect(await problemOf(response)).toMatchObject({ code: 'value-too-large' });
  expect(holdfast.calls).toHaveLength(1);
});

test('the limit counts bytes, not characters', async () => {
  const { request } = await startApi({ MAX_VALUE_BYTES: 100 });
  expect((await request('PUT', CART, { body: Buffer.from(JSON.stringify('é'.repeat(50))) })).status).toBe(
    413,
  );
});

test('a chunked body arrives whole', async () => {
  const { raw, holdfast } = await startApi();
  const answer = await raw(
    message('PUT', CART, ['Transfer-Encoding: chunked']),
    chunk('{"a":'),
    chunk('"é'),
    `${chunk('"}')}0\r\n\r\n`,
  );
  expect(answer.slice(9, 12)).toBe('202');
  expect(holdfast.entries.get('carts/ada')?.value).toBe('{"a":"é"}');
});

test('a chunked body past the limit is 413, however small its chunks', async () => {
  const { raw, holdfast } = await startApi({ MAX_VALUE_BYTES: 100 });
  const answer = await raw(
    message('PUT', CART, ['Transfer-Encoding: chunked']),
    ...Array.from({ length: 30 }, () => chunk('    ')),
    '1\r\n1\r\n0\r\n\r\n',
  );
  expect(answer.slice(9, 12)).toBe('413');
  expect(holdfast.calls).toEqual([]);
});

test('an endless chunked body is answered and cut off', async () => {
  const { port, holdfast } = await startApi({ MAX_VALUE_BYTES: 100 });
  const answer = await answerToEndlessBody(port, CART);
  expect(answer.slice(9, 12)).toBe('413');
  expect(holdfast.calls).toEqual([]);
});

test('a Content-Length past the limit is 413 before any of the body was sent', async () => {
  const { raw } = await startApi({ MAX_VALUE_BYTES: 100 });
  expect((await raw(message('PUT', CART, ['Content-Length: 101']))).slice(9, 12)).toBe('413');
});

test('a body shorter than its Content-Length is never stored', async () => {
  const { port, holdfast, server } = await startApi();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const began = once(server, 'request');
  socket.write(message('PUT', CART, ['Content-Length: 10'], '1'));
  const [incoming] = (await began) as [NodeJS.EventEmitter];
  const gone = new Promise((resolve) => incoming.once('close', resolve));
  socket.end();
  await gone;
  expect((await (await fetch(`http://127.0.0.1:${port}${CART}`)).json()) as object).toMatchObject({
    status: 404,
  });
  expect(holdfast.calls.map(({ method }) => method)).toEqual(['read']);
});

test('what follows a body longer than its Content-Length is no part of it, and its 400 never stands for the write', async () => {
  const { raw, holdfast } = await startApi();
  const put = message('PUT', CART, ['Content-Length: 1'], '12').replace('Connection: close\r\n', '');
  const answer = await raw(`${put}\r\n\r\n`);
  if (holdfast.entries.has('carts/ada')) {
    expect(holdfast.entries.get('carts/ada')?.value).toBe('1');
    expect(answer).not.toMatch(/^HTTP\/1.1 400/);
  }
});

test.each([
  ['two lengths', ['Content-Length: 1', 'Content-Length: 2']],
  ['a length beside chunks', ['Content-Length: 1', 'Transfer-Encoding: chunked']],
  ['a negative length', ['Content-Length: -1']],
])('a request with %s is 400', async (_, headers) => {
  const { raw, holdfast } = await startApi();
  expect((await raw(message('PUT', CART, headers, '1'))).slice(9, 12)).toBe('400');
  expect(holdfast.calls).toEqual([]);
});

test('a body that does not arrive in time is 408', async () => {
  const { raw, holdfast } = await startApi({ REQUEST_DEADLINE_MS: 100 });
  const answer = await raw(message('PUT', CART, ['Content-Length: 5'], '12'));
  expect(answer.slice(9, 12)).toBe('408');
  expect(answer).toContain('"code":"request-timeout"');
  expect(holdfast.calls).toEqual([]);
});

test('the connection is used again after a body that was refused', async () => {
  const { raw } = await startApi({ MAX_VALUE_BYTES: 100 });
  const put = message('PUT', CART, ['Content-Length: 200'], 'x'.repeat(200)).replace(
    'Connection: close\r\n',
    '',
  );
  const answer = await raw(put, message('GET', '/livez'));
  expect(answer).toContain('HTTP/1.1 413');
  await vi.waitFor(() => expect(answer).toContain('"alive"'));
});

test.each([
  ['in chunks that are none', ['Transfer-Encoding: chunked'], 'zz\r\n'],
  ['that ends early', ['Content-Length: 10'], '1'],
])('a body %s is no 400 where the write goes on without it', async (_, headers, body) => {
  const { port, holdfast } = await startApi();
  holdfast.before = () => sleep(50);
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.on('error', () => {});
  socket.end(message('DELETE', CART, headers, body));
  await once(socket, 'close');
  expect(holdfast.calls.map(({ method }) => method)).toEqual(['delete']);
  expect(answer).not.toMatch(/^HTTP\/1.1 400/);
});
