import { describe, expect, test } from 'vitest';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const JSON_TYPE = { 'content-type': 'application/json' };

/** 600 bytes as sent, and 30,000 as PostgreSQL stores them. */
const GROWS = `[${Array.from({ length: 100 }, () => '1e299').join(',')}]`;
/** Grows to just the limit of 1,024 bytes: 3 × 308 digits, 2 commas, 2 brackets, and a string of 96 bytes. */
const JUST_FITS = `["${'x'.repeat(93)}",1e307, 1E+307 ,10e306]`;
const OVER = JUST_FITS.replace('xx', 'xxx');

describe('a value that is larger than the limit once its numbers are written out', () => {
  test.each([
    ['put', 'PUT', CART],
    ['a correction of a dead letter', 'POST', '/ops/v1/dead-letters/1/correction'],
  ])('is value-too-large: %s', async (_, method, path) => {
    const { request, holdfast } = await startApi();
    for (const body of [GROWS, OVER]) {
      const response = await request(method, path, { body, headers: JSON_TYPE });
      expect(response.status).toBe(413);
      expect(await problemOf(response)).toMatchObject({
        code: 'value-too-large',
        detail: expect.stringMatching(/1024 bytes.*written out/),
      });
    }
    expect(holdfast.calls.filter((call) => call.method === 'put')).toEqual([]);
  });

  test('is named by its place in a batch, of which nothing is written', async () => {
    const { request, holdfast } = await startApi();
    const put = (key: string, value: string) =>
      `{"op":"put","collection":"carts","key":"${key}","value":${value}}`;
    const operations = [put('a', '[1e5]'), put('b', GROWS), put('c', JUST_FITS), put('d', OVER)];
    const body = `{"operations":[${operations.join(',')}]}`;
    const response = await request('POST', '/v1/batch', { body, headers: JSON_TYPE });
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({
      code: 'value-too-large',
      detail: expect.stringMatching(/1024 bytes.*written out/),
      errors: [{ path: '/operations/1/value' }, { path: '/operations/3/value' }],
    });
    expect(holdfast.entries.size).toBe(0);
  });
});

test('a value that just fits is kept as it was sent', async () => {
  const { request, holdfast } = await startApi();
  expect((await request('PUT', CART, { body: JUST_FITS, headers: JSON_TYPE })).status).toBe(202);
  expect(holdfast.entries.get('carts/ada')?.value).toBe(JUST_FITS);
});

test('spaces and escapes make room for numbers: what counts is what they are stored as', async () => {
  const { request } = await startApi();
  const body = `[${' '.repeat(500)}"${'\\u0061'.repeat(70)}", 1e307, 1e307]`;
  expect((await request('PUT', CART, { body, headers: JSON_TYPE })).status).toBe(202);
});

test('a number read back written out may be sent again', async () => {
  const { request } = await startApi();
  for (const body of [`1${'0'.repeat(308)}`, `-0.${'0'.repeat(307)}1`, `0.${'0'.repeat(308)}`]) {
    expect((await request('PUT', CART, { body, headers: JSON_TYPE })).status).toBe(202);
  }
});
