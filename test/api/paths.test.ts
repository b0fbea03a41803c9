import { expect, test } from 'vitest';
import { message, startApi } from './fixture.ts';

const ENTRIES = '/v1/collections/carts/entries';

function bodyOf(answer: string): Record<string, unknown> {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}

test.each([
  ['a%2Fb', 'a/b'],
  ['a%2Fincrement', 'a/increment'],
  ['%25FF', '%FF'],
  ['%2525', '%25'],
  ['%E2%9C%93', '✓'],
  ['a+b', 'a+b'],
  ['a|b{c}', 'a|b{c}'],
  ['%2e', undefined],
  ['...', '...'],
  ['%2e%2e%2e', '...'],
  ['%F0%9F%98%80', '😀'],
  ['__proto__', '__proto__'],
])('the raw key %s is decoded exactly once, to %s', async (raw, key) => {
  const { raw: send, holdfast } = await startApi();
  const answer = await send(message('PUT', `${ENTRIES}/${raw}`, ['Content-Length: 1'], '1'));
  expect(answer.slice(9, 12)).toBe(key === undefined ? '400' : '202');
  expect(holdfast.calls.map((call) => call.key)).toEqual(key === undefined ? [] : [key]);
});

test.each([
  '.',
  '..',
  '%2e%2e',
  '%2E.',
  '%',
  '%4',
  '%zz',
  '%FF',
  '%C0%AF',
  '%ED%A0%80',
  '%00',
  'a%0Ab',
  '%7F',
  '%C2%85',
  'a#b',
  'x'.repeat(513),
  '%E2%9C%93'.repeat(171),
  'a?b',
  'a?x=1',
])('the raw key %s is 400 and reaches nothing', async (raw) => {
  const { raw: send, holdfast } = await startApi();
  const below = [
    ['POST', `${raw}/increment`],
    ['GET', `${raw}/explanation`],
  ] as const;
  for (const [method, key] of [
    ...['GET', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, raw] as const),
    // Behind a bare "?" there is no path.
    ...(raw.includes('?') ? [] : below),
  ]) {
    const answer = await send(message(method, `${ENTRIES}/${key}`));
    expect(answer.slice(9, 12)).toBe('400');
    expect(answer).toContain('application/problem+json');
    expect(bodyOf(answer)).toMatchObject({ code: 'invalid-request', status: 400 });
  }
  expect(holdfast.calls).toEqual([]);
});

test('the longest keys are accepted', async () => {
  const { request } = await startApi();
  for (const raw of ['x'.repeat(512), '%E2%9C%93'.repeat(170)]) {
    expect((await request('PUT', `${ENTRIES}/${raw}`, { body: Buffer.from('1') })).status).toBe(202);
  }
});

test('bytes beyond ASCII are not taken for Latin-1', async () => {
  const { raw, holdfast } = await startApi();
  const answer = await raw(
    `GET ${ENTRIES}/`,
    Buffer.from('é'),
    ' HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
  );
  expect(answer.slice(9, 12)).toBe('400');
  expect(answer).toContain('application/problem+json');
  expect(holdfast.calls).toEqual([]);
});

test('dot segments do not lead to another route', async () => {
  const { raw, holdfast } = await startApi();
  for (const path of [
    `${ENTRIES}/x/../ada`,
    '/v1/../livez',
    `${ENTRIES}/../../../../livez`,
    `//${ENTRIES}/ada`,
  ]) {
    expect((await raw(message('GET', path))).slice(9, 12)).toBe('404');
  }
  expect(holdfast.calls).toEqual([]);
});

test('the absolute form of a target names the same entry', async () => {
  const { raw, holdfast } = await startApi();
  const answer = await raw(message('GET', `http://other.example${ENTRIES}/a%2Fb`));
  expect(answer.slice(9, 12)).toBe('404');
  expect(holdfast.calls.map(({ key }) => key)).toEqual(['a/b']);
});

test('an HTTP/1.0 request without Host is answered', async () => {
  const { raw } = await startApi();
  expect(await raw('GET /livez HTTP/1.0\r\n\r\n')).toContain('200 OK');
});

test.each([
  ['GET', '/v1/\\collections', []],
  ['OPTIONS', '*', []],
  ['GET', '/livez', ['Host: a b']],
])('what makes no URL is a problem: %s %s', async (method, target, headers) => {
  const { raw } = await startApi();
  const text = message(method, target, headers);
  const answer = await raw(headers.length === 0 ? text : text.replace('Host: h\r\n', ''));
  expect(answer.slice(9, 12)).toBe('400');
  expect(bodyOf(answer)).toMatchObject({ code: 'invalid-request', status: 400 });
});

test('what is not HTTP is a problem too', async () => {
  const { raw } = await startApi();
  const answer = await raw('hello\r\n\r\n');
  expect(answer.slice(9, 12)).toBe('400');
  expect(bodyOf(answer)).toMatchObject({ code: 'invalid-request', status: 400 });
  const long = await raw(message('GET', '/livez', [`X-Long: ${'x'.repeat(20_000)}`]));
  expect(long.slice(9, 12)).toBe('431');
  expect(bodyOf(long)).toMatchObject({ status: 431 });
});
