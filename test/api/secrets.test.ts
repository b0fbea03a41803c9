import { expect, test } from 'vitest';
import { newApiKey } from '../../config/keys.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { testKey } from '../support/api-key.ts';
import { message, startApi } from './fixture.ts';

const shop = testKey('shop', ['read:*', 'write:carts', 'write:page-views', 'ops']);
const slow = testKey('slow', ['write:*'], { perSecond: 1, burst: 1 });
const unknown = newApiKey();

/** Would be recognised wherever it turned up, also in part. */
const VALUE = 'value-7d1f';
const NAMED = 'key-7d1f';
const CART = `/v1/collections/carts/entries/${NAMED}`;

test('no secret and no value is in any log line or error, however a request fails', async () => {
  const { request, raw, holdfast, logged } = await startApi(
    { REQUEST_DEADLINE_MS: 200 },
    { keys: [shop.key, slow.key] },
  );
  const answers: string[] = [];
  const send = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const response = await request(method, path, {
      headers: { 'content-type': 'application/json', ...shop.headers, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    answers.push(await response.text(), JSON.stringify([...response.headers]));
    return response.status;
  };
  const text = JSON.stringify(VALUE);

  // Refused before the use case.
  expect(await send('PUT', CART, `{"${VALUE}": 1, "${VALUE}": 2}`)).toBe(400);
  expect(await send('PUT', CART, `${VALUE}`)).toBe(400);
  expect(await send('PUT', CART, `["\\u0000${VALUE}"]`)).toBe(400);
  expect(await send('PUT', CART, JSON.stringify(VALUE.repeat(500)))).toBe(413);
  expect(await send('PUT', CART, text, { 'content-type': 'text/plain' })).toBe(415);
  expect(await send('PUT', CART, text, { 'if-match': VALUE })).toBe(400);
  expect(await send('PUT', CART, text, { accept: 'text/html' })).toBe(406);
  expect(await send('PUT', '/v1/collections/page-views/entries/a', text)).toBe(400);
  expect(await send('POST', '/v1/collections/page-views/entries/a/increment', `{"by": ${text}}`)).toBe(400);
  expect(await send('POST', '/ops/v1/dead-letters/1/discard', `{"reason": [${text}]}`)).toBe(400);
  expect(await send('POST', '/ops/v1/dead-letters/1/discard', `{"reason": ${VALUE}}`)).toBe(400);
  expect(await send('PUT', '/v1/collections/orders/entries/a', text)).toBe(403);
  for (const authorization of [
    `Bearer ${unknown}`,
    `Basic ${unknown}`,
    `Bearer ${shop.token}x`,
    shop.token,
  ]) {
    expect(await send('PUT', CART, text, { authorization })).toBe(401);
  }
  // In the target, as people do who try: it comes back in nothing but the path of the problem.
  expect(await send('GET', `${CART}?key=${shop.token}&value=${VALUE}`)).toBe(400);
  // Broken before it is a request.
  const auth = `Authorization: Bearer ${shop.token}`;
  answers.push(await raw(message('PUT', '\\', [auth, `Content-Length: ${text.length}`], text)));
  answers.push(
    await raw(`PUT ${CART} HTTP/1.1\r\nHost: h\r\n${auth}\r\nTransfer-Encoding: chunked\r\n\r\n${text}\r\n`),
  );
  answers.push(await raw(`PUT ${CART} HTTP/1.1\r\nHost: h\r\n${auth}\r\nX: ${VALUE.repeat(3_000)}\r\n\r\n`));

  // Failed in the use case, in ways expected and not.
  for (const thrown of [
    new HoldfastError('dependency-unavailable', 'Redis is out of reach.', {
      dependency: 'redis',
      cause: driverError(),
    }),
    new HoldfastError('internal', 'a mistake', { cause: driverError() }),
    driverError(),
    { message: 'no Error', detail: VALUE, authorization: shop.token },
    VALUE,
  ]) {
    holdfast.before = () => {
      throw thrown;
    };
    expect(await send('PUT', CART, text)).toBeGreaterThanOrEqual(500);
    expect(await send('GET', CART)).toBeGreaterThanOrEqual(500);
  }
  holdfast.before = () => new Promise(() => {});
  expect(await send('PUT', CART, text)).toBe(503);
  holdfast.before = () => {};
  await send('PUT', CART, text, slow.headers);
  expect(await send('PUT', CART, text, slow.headers)).toBe(429);

  const errors = answers.join('\n');
  expect(errors).toContain('"code":"internal"');
  expect(logged.length).toBeGreaterThan(10);
  const log = JSON.stringify(logged);
  for (const secret of [shop.token, slow.token, unknown, shop.key.digest]) {
    expect(log).not.toContain(secret.slice(0, 20));
    expect(errors).not.toContain(secret.slice(0, 20));
  }
  expect(log).not.toContain(VALUE);
  expect(log).not.toContain(NAMED);
  // A problem points into the body: names of members, never what they hold.
  expect(errors.replaceAll(`"path":"/${VALUE}"`, '')).not.toContain(VALUE);
});

/** What a driver throws: the value in members beside the message. */
function driverError(): Error {
  return Object.assign(new Error('duplicate key'), {
    detail: `Key (key)=(${NAMED}) holds ${VALUE}`,
    command: { name: 'evalsha', args: [VALUE, shop.token] },
    parameters: [VALUE],
  });
}
