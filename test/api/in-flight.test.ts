import { expect, test, vi } from 'vitest';
import { door } from '../support/door.ts';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';
const put = { body: Buffer.from('1') };

test.each([
  ['reads', 'GET', {}],
  ['writes', 'PUT', put],
] as const)(
  'past the requests in flight, %s are 503 with Retry-After, and answered again later',
  async (what, method, init) => {
    const { request, holdfast } = await startApi({ MAX_REQUESTS_IN_FLIGHT: 1 });
    const { wait, open } = door();
    holdfast.before = () => wait;
    const first = request(method, CART, init);
    await vi.waitFor(() => expect(holdfast.calls).toHaveLength(1));
    const second = await request(method, CART, init);
    expect(second.status).toBe(503);
    expect(second.headers.get('retry-after')).toBe('1');
    const detail = expect.stringContaining(`1 ${what}`);
    expect(await problemOf(second)).toMatchObject({ code: 'overloaded', detail });
    open();
    expect((await first).status).toBeLessThan(500);
    expect((await request(method, CART, init)).status).toBeLessThan(500);
    expect(holdfast.calls).toHaveLength(2);
  },
);

test('writes that wait hold up no read, no operator and no probe', async () => {
  const { request, holdfast } = await startApi({ MAX_REQUESTS_IN_FLIGHT: 1 });
  holdfast.operations.listDeadLetters = async () => [];
  const { wait, open } = door();
  holdfast.before = ({ method }) => (method === 'put' ? wait : undefined);
  const waiting = request('PUT', CART, put);
  await vi.waitFor(() => expect(holdfast.calls).toHaveLength(1));
  expect((await request('PUT', CART, put)).status).toBe(503);
  expect((await request('GET', CART)).status).toBe(404);
  const others = [
    '/v1/collections',
    '/ops/v1/dead-letters',
    '/console',
    '/docs',
    '/openapi.json',
    '/readyz',
    '/livez',
  ];
  for (const path of others) expect([path, (await request('GET', path)).status]).toEqual([path, 200]);
  const payloads = { body: Buffer.from('{"payloads": []}') };
  expect((await request('POST', '/codec/decode', payloads)).status).toBe(200);
  open();
  expect((await waiting).status).toBe(202);
});

test('requests of operators are bounded, too, and hold up no others', async () => {
  const { request, holdfast } = await startApi();
  const { wait, open } = door();
  let asked = 0;
  holdfast.operations.listDeadLetters = async () => {
    asked += 1;
    await wait;
    return [];
  };
  const waiting = Array.from({ length: 100 }, () => request('GET', '/ops/v1/dead-letters'));
  await vi.waitFor(() => expect(asked).toBe(100));
  const refused = await request('GET', '/ops/v1/dead-letters');
  expect(refused.status).toBe(503);
  const detail = expect.stringContaining('100 requests of operators');
  expect(await problemOf(refused)).toMatchObject({ code: 'overloaded', detail });
  expect((await request('GET', CART)).status).toBe(404);
  expect((await request('PUT', CART, put)).status).toBe(202);
  open();
  for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
});
