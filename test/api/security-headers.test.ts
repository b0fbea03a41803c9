import { describe, expect, test } from 'vitest';
import { ROUTES } from '../../api/all-routes.ts';
import { ENDING_ROUTES, message, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';

/** `Name: value` of a raw answer, in lower case. */
function headersOf(answer: string): Map<string, string> {
  const lines = answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n').slice(1);
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
}

describe('on every answer', () => {
  const safe = (headers: Map<string, string> | Headers) => {
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toMatch(/default-src .*frame-ancestors 'none'/);
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(headers.get('x-powered-by') ?? headers.get('server') ?? undefined).toBeUndefined();
  };

  test.each(ROUTES.map(({ method, path }) => [method.toUpperCase(), path]))(
    'of %s %s a browser guesses no type, runs nothing and gives nothing to other sites',
    async (method, path) => {
      const { request, holdfast } = await startApi();
      holdfast.operations.listDeadLetters = async () => [];
      const target = path.replace(':collection', 'carts').replace(':key', 'ada').replaceAll(/:\w+/g, '1');
      safe((await request(method, target)).headers);
    },
  );

  test('also of a value, a receipt and problems of every origin', async () => {
    const { request, raw } = await startApi();
    const headers = { 'content-type': 'application/json' };
    safe((await request('PUT', CART, { body: '{}', headers })).headers);
    safe((await request('GET', CART)).headers);
    safe((await request('GET', '/nothing')).headers);
    safe((await request('POST', CART)).headers);
    safe(headersOf(await raw(message('GET', '\\'))));
    safe(headersOf(await raw('nonsense\r\n\r\n')));
  });
});

describe('HEAD everywhere GET is', () => {
  const gets = ENDING_ROUTES.filter(({ method }) => method === 'get').map(({ path }) => path);

  test.each([...gets, '/v1/collections/carts/entries/absent', '/v1/collections/nope/entries/a'])(
    '%s: the same status and headers, no body',
    async (path) => {
      const { request, raw, holdfast } = await startApi();
      holdfast.operations.listDeadLetters = async () => [];
      await request('PUT', CART, { body: '{"n":1}', headers: { 'content-type': 'application/json' } });
      const target = path.replace(':collection', 'carts').replace(':key', 'ada');
      const ask = (method: string) => raw(message(method, target, ['X-Request-Id: r']));
      const [get, head] = [await ask('GET'), await ask('HEAD')];
      // Of the metrics, each request is one more.
      const changing = path === '/metrics' ? ['date', 'content-length'] : ['date'];
      const headers = (answer: string) =>
        new Map([...headersOf(answer)].filter(([name]) => !changing.includes(name)));
      expect(head.split('\r\n')[0]).toBe(get.split('\r\n')[0]);
      expect(headers(head)).toEqual(headers(get));
      expect(head.slice(head.indexOf('\r\n\r\n'))).toBe('\r\n\r\n');
    },
  );
});
