import { describe, expect, test } from 'vitest';
import { accepts } from '../../api/accept.ts';
import { message, problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';

describe('Accept', () => {
  test.each([
    ['application/json', true],
    ['*/*', true],
    ['application/*', true],
    ['Application/JSON', true],
    ['application/json; charset=utf-8', true],
    ['application/json;q=0.001', true],
    ['text/html, application/xhtml+xml, */*;q=0.8', true],
    ['text/html, image/gif, *; q=.2, */*; q=.2', true],
    ['application/*;q=0, application/json', true],
    ['application/problem+json, application/json', true],
    ['', true],
    [' , ', true],
    ['text/html', false],
    ['application/xml, text/*', false],
    ['application/problem+json', false],
    ['application/json;q=0', false],
    ['application/json; q=0.000', false],
    ['application/json;q=0, */*', false],
    ['application/*;q=0, */*', false],
    ['*/*;q=0', false],
    ['json', false],
  ])('%s lets JSON pass: %s', (header, passes) => {
    expect(accepts(header, ['application/json'])).toBe(passes);
  });

  test('one of several types is enough', () => {
    expect(accepts('text/html', ['application/json', 'text/html'])).toBe(true);
  });
});

test('406 not-acceptable where Accept excludes JSON: a problem all the same, and nothing was done', async () => {
  const { request, holdfast } = await startApi();
  for (const [method, body] of [['GET'], ['PUT', Buffer.from('1')], ['DELETE']] as const) {
    const init = { headers: { accept: 'text/html' }, ...(body === undefined ? {} : { body }) };
    const response = await request(method, CART, init);
    expect(response.status).toBe(406);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = await problemOf(response);
    expect(problem).toMatchObject({
      code: 'not-acceptable',
      detail: expect.stringContaining('application/json'),
    });
  }
  expect(holdfast.calls).toEqual([]);
});

test('no Accept at all is fine', async () => {
  const { raw } = await startApi();
  expect(await raw(message('GET', '/livez'))).toMatch(/^HTTP\/1\.1 200 /);
});
