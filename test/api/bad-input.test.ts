import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type ApiFixture, message, problemOf, startApi } from './fixture.ts';

const CARTS = '/v1/collections/carts';

/** A place of a request in which JSON can be wrong: around it all is well. */
interface Place {
  readonly method: string;
  readonly path: string;
  readonly type: string;
  readonly body: (wrong: string) => string;
  /** JSON Pointer to it. */
  readonly at: string;
  /** Levels of nesting that are allowed in it. */
  readonly levels: number;
}

const json = 'application/json';
const post = { method: 'POST', type: json };
const PLACES: Readonly<Record<string, Place>> = {
  'a value': { method: 'PUT', path: `${CARTS}/entries/ada`, type: json, body: (t) => t, at: '', levels: 100 },
  'a patch': {
    method: 'PATCH',
    path: `${CARTS}/entries/ada`,
    type: 'application/merge-patch+json',
    body: (t) => `{"a":${t}}`,
    at: '/a',
    levels: 99,
  },
  'an increment': {
    ...post,
    path: '/v1/collections/page-views/entries/home/increment',
    body: (t) => `{"by":${t}}`,
    at: '/by',
    levels: 99,
  },
  'a value in a batch': {
    ...post,
    path: '/v1/batch',
    body: (t) =>
      `{"operations":[{"op":"delete","collection":"carts","key":"b"},{"op":"put","collection":"carts","key":"a","value":${t}}]}`,
    at: '/operations/1/value',
    levels: 100,
  },
  'a list of keys to read': {
    ...post,
    path: `${CARTS}/read`,
    body: (t) => `{"keys":["a",${t}]}`,
    at: '/keys/1',
    levels: 98,
  },
  'a list of keys to invalidate': {
    ...post,
    path: `${CARTS}/invalidate`,
    body: (t) => `{"keys":["a",${t}]}`,
    at: '/keys/1',
    levels: 98,
  },
};

const send = (api: ApiFixture, { method, path, type }: Place, body: string | Buffer, headers = {}) =>
  api.request(method, path, { body: Buffer.from(body), headers: { 'content-type': type, ...headers } });

describe.each(Object.entries(PLACES))('%s', (_, place) => {
  test.each<[name: string, wrong: string, path: string]>([
    ['NUL', '"a\\u0000"', ''],
    ['a raw NUL', '"\0"', ''],
    ['a raw tab', '"\t"', ''],
    ['the first half of a surrogate pair', '"\\ud83d"', ''],
    ['the second half', '["\\ude00"]', '/0'],
    ['the halves in the wrong order', '{"b":"\\ude00\\ud83d"}', '/b'],
    ['half a pair in a name', '{"\\ud83d":1}', ''],
    ['a member twice', '{"b":{"c":1,"c":1}}', '/b/c'],
    ['a member twice, spelled differently', '{"c":1,"\\u0063":2}', '/c'],
    ['an exponent without bounds', '[1,1e400]', '/1'],
    ['a small exponent without bounds', '-1e-309', ''],
    ['a number of 101 digits', '9'.repeat(101), ''],
    ['digits after the point, 101 in all', `0.${'9'.repeat(100)}`, ''],
    ['no number', 'NaN', ''],
    ['a leading zero', '[01]', '/0'],
    ['a leading plus', '+1', ''],
    ['a number without its end', '{"b":1.}', '/b'],
    ['an unknown escape', '"\\x41"', ''],
    ['an unknown literal', 'True', ''],
    ['single quotes', "{'b':1}", ''],
    ['a trailing comma', '[1,]', '/1'],
    ['a comment', '1/**/', ''],
    ['an object that is no value', '{"b":}', '/b'],
    ['two values', '{"b":[1 2]}', '/b/0'],
    ['a byte order mark', '\ufeff1', ''],
    [
      'too many levels',
      `${'['.repeat(place.levels + 1)}${']'.repeat(place.levels + 1)}`,
      '/0'.repeat(place.levels),
    ],
    ['brackets without end', '['.repeat(500), '/0'.repeat(place.levels)],
  ])('with %s is 400, names the member and does nothing', async (_name, wrong, path) => {
    const api = await startApi();
    const response = await send(api, place, place.body(wrong));
    expect(response.status).toBe(400);
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'invalid-request', errors: [{ path: place.at + path }] });
    expect(api.holdfast.calls).toEqual([]);
  });

  test('that is not UTF-8 is 400', async () => {
    const api = await startApi();
    const bytes = [
      [0xff],
      // "/" spelled too long, half a pair, and a character cut off.
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xe2, 0x9c],
    ];
    for (const wrong of bytes) {
      const [before, after] = place.body('"?"').split('?') as [string, string];
      const body = Buffer.concat([Buffer.from(before), Buffer.from(wrong), Buffer.from(after)]);
      const response = await send(api, place, body);
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ code: 'invalid-request' });
    }
    expect(api.holdfast.calls).toEqual([]);
  });

  test('of another type, or compressed, is 415', async () => {
    const api = await startApi();
    for (const headers of [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': `${place.type}; charset=utf-16` },
      { 'content-encoding': 'gzip' },
    ]) {
      const response = await send(api, place, place.body('1'), headers);
      expect(response.status).toBe(415);
      expect(await problemOf(response)).toMatchObject({ code: 'unsupported-media-type' });
    }
    expect(api.holdfast.calls).toEqual([]);
  });

  const head = [`Content-Type: ${place.type}`];
  const limits = { MAX_VALUE_BYTES: 100, MAX_BATCH_BYTES: 1_024, MAX_READ_KEYS: 1 };

  test('with a Content-Length past the limit is 413 before it was sent', async () => {
    const api = await startApi(limits);
    const answer = await api.raw(message(place.method, place.path, [...head, 'Content-Length: 8000']));
    expect(answer.slice(9, 12)).toBe('413');
    expect(answer).toContain('"code":"value-too-large"');
    expect(api.holdfast.calls).toEqual([]);
  });

  test('in chunks past the limit is 413', async () => {
    const api = await startApi(limits);
    const chunk = `64\r\n${' '.repeat(100)}\r\n`;
    const answer = await api.raw(
      message(place.method, place.path, [...head, 'Transfer-Encoding: chunked']),
      ...Array.from({ length: 80 }, () => chunk),
      '1\r\n1\r\n0\r\n\r\n',
    );
    expect(answer.slice(9, 12)).toBe('413');
    expect(answer).toContain('"code":"value-too-large"');
    expect(api.holdfast.calls).toEqual([]);
  });

  test('that does not arrive in time is 408', async () => {
    const api = await startApi({ REQUEST_DEADLINE_MS: 100 });
    const answer = await api.raw(message(place.method, place.path, [...head, 'Content-Length: 9'], ' '));
    expect(answer.slice(9, 12)).toBe('408');
    expect(answer).toContain('"code":"request-timeout"');
    expect(api.holdfast.calls).toEqual([]);
  });

  test('that ends before its Content-Length, or its last chunk, does nothing', async () => {
    const api = await startApi();
    const body = place.body(place.at.startsWith('/keys') ? '"b"' : '1');
    for (const request of [
      message(place.method, place.path, [...head, `Content-Length: ${body.length + 1}`], body),
      message(
        place.method,
        place.path,
        [...head, 'Transfer-Encoding: chunked'],
        `${body.length.toString(16)}\r\n${body}\r\n`,
      ),
    ]) {
      const socket = connect(api.port, '127.0.0.1');
      socket.on('error', () => {});
      const began = once(api.server, 'request');
      socket.write(request);
      const [incoming] = (await began) as [NodeJS.EventEmitter];
      const gone = new Promise((resolve) => incoming.once('close', resolve));
      socket.end();
      await gone;
    }
    expect((await api.request('GET', '/livez')).status).toBe(200);
    expect(api.holdfast.calls).toEqual([]);
  });
});

test.each(['/v1/batch', `${CARTS}/read`, `${CARTS}/invalidate`])(
  'what %s does not know is refused: members, whatever their name, and a query',
  async (path) => {
    const api = await startApi();
    const good =
      path === '/v1/batch' ? '"operations":[{"op":"delete","collection":"carts","key":"a"}]' : '"keys":["a"]';
    const request = (target: string, body: string) =>
      api.request('POST', target, { body, headers: { 'content-type': json } });
    for (const [member, at] of [
      ['"other":1', '/other'],
      ['"__proto__":{"keys":["b"]}', '/__proto__'],
      ['"constructor":1', '/constructor'],
      ['"a~/b":1', '/a~0~1b'],
    ]) {
      const response = await request(path, `{${good},${member}}`);
      expect(response.status, member).toBe(400);
      expect(await problemOf(response)).toMatchObject({ errors: [{ path: at }] });
    }
    const response = await request(`${path}?atomic=true`, `{${good}}`);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ detail: expect.stringContaining('no query') });
    expect(api.holdfast.calls).toEqual([]);
  },
);
