import { expect, test, vi } from 'vitest';
import { type HttpErrorCode, PROBLEMS, type ProblemCode } from '../../api/problem.ts';
import { type ErrorCode, HoldfastError } from '../../domain/errors.ts';
import { testKey } from '../support/api-key.ts';
import { type ApiFixture, message, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const shop = testKey('shop', ['read:carts'], { perSecond: 1, burst: 1 });

const raw = async ({ port }: ApiFixture, method: string, path: string, init: RequestInit = {}) =>
  await fetch(`http://127.0.0.1:${port}${path}`, { ...init, method });

/** How to meet what only the HTTP side complains of. */
const MET: Readonly<Record<HttpErrorCode | 'internal', (api: ApiFixture) => Promise<Response>>> = {
  'route-not-found': (api) => raw(api, 'GET', '/v1/nothing'),
  'method-not-allowed': (api) => raw(api, 'POST', CART),
  unauthenticated: (api) => raw(api, 'GET', CART),
  forbidden: (api) => raw(api, 'PUT', CART, { headers: shop.headers, body: Buffer.from('1') }),
  'rate-limited': async (api) => {
    await raw(api, 'GET', CART, { headers: shop.headers });
    return await raw(api, 'GET', CART, { headers: shop.headers });
  },
  'not-acceptable': (api) => raw(api, 'GET', CART, { headers: { accept: 'text/html' } }),
  'unsupported-media-type': (api) =>
    raw(api, 'PUT', CART, { headers: { 'content-type': 'text/plain' }, body: '1' }),
  'request-timeout': async (api) => {
    const answer = await api.raw(message('PUT', CART, ['Content-Length: 9'], '1'));
    const [head = '', body] = answer.split('\r\n\r\n');
    const [status = '', ...lines] = head.split('\r\n');
    const headers = lines.map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]);
    return new Response(body, { status: Number(status.slice(9, 12)), headers });
  },
  overloaded: async (api) => {
    api.holdfast.before = () => new Promise(() => {});
    const first = raw(api, 'GET', CART);
    await vi.waitFor(() => expect(api.holdfast.calls).toHaveLength(1));
    const second = await raw(api, 'GET', CART);
    first.catch(() => {});
    return second;
  },
  internal: (api) => {
    api.holdfast.before = () => {
      throw new TypeError('a mistake');
    };
    return raw(api, 'GET', CART);
  },
};

const needsKey = (code: ProblemCode) => ['unauthenticated', 'forbidden', 'rate-limited'].includes(code);

test.each(Object.keys(PROBLEMS) as ProblemCode[])('%s: a problem with every member', async (code) => {
  const limits = { MAX_REQUESTS_IN_FLIGHT: 1, REQUEST_DEADLINE_MS: code === 'request-timeout' ? 100 : 5_000 };
  const api = await startApi(limits, needsKey(code) ? { keys: [shop.key] } : {});
  const meet = code in MET ? MET[code as keyof typeof MET] : undefined;
  if (meet === undefined) {
    api.holdfast.before = () => {
      throw new HoldfastError(code as ErrorCode, 'What happened.');
    };
  }
  const response = await (meet ?? (() => raw(api, 'DELETE', CART)))(api);
  const { status, title } = PROBLEMS[code];
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  // On every 429 and 503, and nowhere else.
  const retryAfter = status === 429 || status === 503 ? expect.stringMatching(/^[1-9]\d*$/) : null;
  expect(response.headers.get('retry-after')).toEqual(retryAfter);
  expect(await response.json()).toEqual({
    type: `urn:holdfast:problem:${code}`,
    title,
    status,
    detail: expect.any(String),
    instance: code === 'route-not-found' ? '/v1/nothing' : CART,
    code,
    requestId: response.headers.get('x-request-id'),
  });
});
