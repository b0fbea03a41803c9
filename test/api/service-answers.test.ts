import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { runApi } from '../../api/run.ts';
import { stopServer } from '../../api/server.ts';
import { readEnvironment } from '../../config/environment.ts';
import { createApiMetrics } from '../../telemetry/api-metrics.ts';
import type { Tracing } from '../../telemetry/tracing.ts';
import { door } from '../support/door.ts';
import { createFakeHoldfast } from '../support/fake-holdfast.ts';
import { problemOf, startApi } from './fixture.ts';

const CART = '/v1/collections/carts/entries/ada';

test('an unknown path is a problem with every member', async () => {
  const { request } = await startApi();
  const response = await request('GET', '/v2/nothing?x=1');
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await problemOf(response)).toEqual({
    type: 'urn:holdfast:problem:route-not-found',
    title: 'There is nothing at this path',
    status: 404,
    detail: expect.any(String),
    instance: '/v2/nothing',
    code: 'route-not-found',
    requestId: response.headers.get('x-request-id'),
  });
});

test('an unknown collection is collection-not-found', async () => {
  const { request } = await startApi();
  for (const [method, suffix] of [
    ['GET', ''],
    ['PUT', ''],
    ['DELETE', ''],
    ['POST', '/increment'],
    ['GET', '/explanation'],
  ]) {
    const response = await request(method as string, `/v1/collections/nope/entries/a${suffix}`);
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ code: 'collection-not-found' });
  }
});

test.each([
  ['POST', CART, 'GET, HEAD, PUT, PATCH, DELETE'],
  ['OPTIONS', CART, 'GET, HEAD, PUT, PATCH, DELETE'],
  ['GET', `${CART}/increment`, 'POST'],
  ['DELETE', `${CART}/explanation`, 'GET, HEAD'],
  ['PUT', '/v1/collections', 'GET, HEAD'],
])('%s %s is 405 and allows %s', async (method, path, allow) => {
  const { request } = await startApi();
  const response = await request(method, path);
  expect(response.status).toBe(405);
  expect(response.headers.get('allow')).toBe(allow);
  expect(await problemOf(response)).toMatchObject({ code: 'method-not-allowed' });
});

test('X-Request-Id is taken where it is well formed, and made where it is not', async () => {
  const { request } = await startApi();
  const answered = async (id?: string) =>
    (await request('GET', CART, id === undefined ? {} : { headers: { 'x-request-id': id } })).headers.get(
      'x-request-id',
    );
  expect(await answered('abc-1:2/3=')).toBe('abc-1:2/3=');
  const made = new Set([
    await answered(),
    await answered(),
    await answered('has space'),
    await answered('x'.repeat(129)),
  ]);
  expect(made.size).toBe(4);
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
});

test('an unexpected error is 500 without internals, and logged once with its stack and the request id', async () => {
  const { request, holdfast, logged } = await startApi();
  holdfast.before = () => {
    throw new TypeError('secret detail');
  };
  const response = await request('PUT', CART, {
    body: Buffer.from('"value"'),
    headers: { 'x-request-id': 'r-1' },
  });
  expect(response.status).toBe(500);
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ code: 'internal', requestId: 'r-1' });
  expect(text).not.toContain('secret');
  const errors = logged.filter(({ level }) => level === 50);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({
    requestId: 'r-1',
    err: { stack: expect.stringContaining('secret detail') },
  });
});

test('use cases get the deadline of the request', async () => {
  const { request, holdfast } = await startApi({ REQUEST_DEADLINE_MS: 3_000 });
  const from = performance.now();
  await request('GET', CART);
  const deadlineAt = holdfast.calls[0]?.options.deadlineAt as number;
  expect(deadlineAt).toBeGreaterThanOrEqual(from + 3_000);
  expect(deadlineAt).toBeLessThanOrEqual(performance.now() + 3_000);
});

test('a use case that outlives its deadline is cut off: a read 504, a write outcome-unknown', async () => {
  const { request, holdfast, logged } = await startApi({ REQUEST_DEADLINE_MS: 100 });
  holdfast.before = () => new Promise(() => {});
  const [read, write] = await Promise.all([request('GET', CART), request('DELETE', CART)]);
  expect(read.status).toBe(504);
  expect(await problemOf(read)).toMatchObject({ code: 'deadline-exceeded' });
  expect(write.status).toBe(503);
  expect(await problemOf(write)).toMatchObject({ code: 'outcome-unknown' });
  expect(logged.filter(({ level }) => level === 50)).toHaveLength(2);
});

test('no key and no value is logged', async () => {
  const { request, holdfast, logged } = await startApi();
  holdfast.before = () => {
    throw Object.assign(new Error('broken'), { detail: 'Key (key)=(secret-key) holds secret-value' });
  };
  await request('PUT', '/v1/collections/carts/entries/secret-key', { body: Buffer.from('"secret-value"') });
  expect(logged).not.toEqual([]);
  expect(JSON.stringify(logged)).not.toMatch(/secret-(key|value)/);
});

test('/livez does not ask any dependency', async () => {
  const { request, holdfast } = await startApi();
  holdfast.health = () => Promise.reject(new Error('must not be asked'));
  const response = await request('GET', '/livez');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'alive' });
});

test.each([
  [[], 200, 'ready'],
  [['workers'], 200, 'degraded'],
  [['redis'], 200, 'degraded'],
  [['postgres', 'temporal'], 200, 'degraded'],
  [['redis', 'postgres'], 503, 'unavailable'],
])('/readyz with %j down answers %i %s', async (down, status, word) => {
  const { request, holdfast } = await startApi();
  holdfast.dependencies = holdfast.dependencies.map((health) =>
    (down as string[]).includes(health.dependency)
      ? { ...health, ok: false, problem: 'no connection', impact: 'reads go on' }
      : health,
  );
  const response = await request('GET', '/readyz');
  expect(response.status).toBe(status);
  expect(await response.json()).toEqual({
    ...{ status: word, draining: false },
    dependencies: holdfast.dependencies,
  });
});

test('/readyz turns 503 when the process is stopping', async () => {
  const { request, stopping } = await startApi();
  stopping.abort();
  const response = await request('GET', '/readyz');
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ status: 'stopping' });
});

test('stopping finishes the requests under way and closes idle connections', async () => {
  const { request, holdfast, server, port } = await startApi();
  await request('GET', '/livez');
  const { wait, open } = door();
  holdfast.before = () => wait;
  const underWay = request('GET', CART);
  await vi.waitFor(() => expect(holdfast.calls).toHaveLength(1));
  let stopped = false;
  const stop = stopServer(server, 30_000).then(() => {
    stopped = true;
  });
  // It takes those who had connected before; then it takes nobody.
  await vi.waitFor(() => expect(server.listening).toBe(false));
  await expect(
    fetch(`http://127.0.0.1:${port}/livez`, { headers: { connection: 'close' } }),
  ).rejects.toThrow();
  expect(stopped).toBe(false);
  open();
  expect((await underWay).status).toBe(404);
  await stop;
});

test('stopping cuts off what does not finish', async () => {
  const { request, holdfast, server } = await startApi();
  holdfast.before = () => new Promise(() => {});
  const underWay = expect(request('GET', CART)).rejects.toThrow();
  await vi.waitFor(() => expect(holdfast.calls).toHaveLength(1));
  await stopServer(server, 50);
  await underWay;
});

test('a running API says where it listens, and closes Holdfast when it stops', async () => {
  const holdfast = createFakeHoldfast();
  const environment = readEnvironment({ PORT: '0' });
  const log = pino({ level: 'silent' });
  const api = await runApi({
    environment,
    holdfast,
    keys: [],
    metrics: createApiMetrics({ process: false, partitions: 1 }),
    log,
  });
  expect((await fetch(`${api.url}/livez`)).status).toBe(200);
  await api.stop();
  expect(holdfast.closed).toBe(true);
});

test.each([
  ['', undefined, 3_000],
  [
    ' with tracing, whose last traces are sent afterwards for up to 1 s',
    { detached: (work) => work() } as Tracing,
    2_000,
  ],
] as const)(
  'what closing Holdfast may take keeps a stop within 8 s of its delay%s',
  async (_, tracing, ms) => {
    const holdfast = createFakeHoldfast();
    const environment = readEnvironment({ PORT: '0', SHUTDOWN_DELAY_MS: '0' });
    const metrics = createApiMetrics({ process: false, partitions: 1 });
    const log = pino({ level: 'silent' });
    await (await runApi({ environment, holdfast, keys: [], metrics, tracing, log })).stop();
    expect(holdfast.closedWithinMs).toBeLessThanOrEqual(ms);
    expect(holdfast.closedWithinMs).toBeGreaterThan(ms - 500);
  },
);

test('a port in use is one clear line, and Holdfast is closed again', async () => {
  const { port } = await startApi();
  const holdfast = createFakeHoldfast();
  const environment = readEnvironment({ PORT: String(port) });
  const metrics = createApiMetrics({ process: false, partitions: 1 });
  await expect(
    runApi({ environment, holdfast, keys: [], metrics, log: pino({ level: 'silent' }) }),
  ).rejects.toThrow(`PORT: ${port} on 127.0.0.1 is in use`);
  expect(holdfast.closed).toBe(true);
});
