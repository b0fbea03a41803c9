import { expect, test } from 'vitest';
import { type ApiFixture, problemOf, startApi } from './fixture.ts';

const PATH = '/v1/collections/carts/read';
const post = (api: ApiFixture, body: unknown, path = PATH) =>
  api.request('POST', path, {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

test('entries come in the order asked for, as they are kept, and once each', async () => {
  const api = await startApi();
  api.holdfast.entries.set('carts/a', { version: 4, value: '{"n": 9007199254740993}' });
  api.holdfast.entries.set('carts/b "é"', { version: 6, value: 'null' });
  api.holdfast.entries.set('carts/gone', { version: 8, value: null });
  const response = await post(api, { keys: ['b "é"', 'gone', 'a', 'b "é"', 'never'] });
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('cache-status')).toBeNull();
  expect(await response.text()).toBe(
    '{"entries":[{"key":"b \\"é\\"","value":null,"version":6},{"key":"a","value":{"n": 9007199254740993},"version":4}],"missing":["gone","never"]}',
  );
});

test('says where writes may be missing because Redis is', async () => {
  const api = await startApi();
  api.holdfast.degraded = true;
  const response = await post(api, { keys: ['a'] });
  expect(response.headers.get('cache-status')).toBe('Holdfast; fwd=bypass; detail=degraded');
});

test.each<[unknown, string[]]>([
  ['', ['']],
  ['[]', ['']],
  ['{"keys":[', ['/keys/0']],
  [{}, ['/keys']],
  [{ keys: [] }, ['/keys']],
  [{ keys: 'a' }, ['/keys']],
  [{ keys: ['a'], prefix: 'b' }, ['/prefix']],
  [{ keys: ['a', 5, '', '..', 'a\tb', 'é'.repeat(257)] }, [1, 2, 3, 4, 5].map((i) => `/keys/${i}`)],
  ['{"keys":["a"],"keys":["b"]}', ['/keys']],
  ['{"keys":["a","\\u0000"]}', ['/keys/1']],
  ['{"keys":["\\ud800"]}', ['/keys/0']],
  [{ keys: Array.from({ length: 101 }, (_, i) => String(i)) }, ['/keys']],
])('%j is refused at %j', async (body, paths) => {
  const api = await startApi();
  const response = await post(api, body);
  expect(response.status).toBe(400);
  const { errors } = (await problemOf(response)) as { errors: { path: string }[] };
  expect(errors.map(({ path }) => path)).toEqual(paths);
  expect(api.holdfast.calls).toEqual([]);
});

test('as many keys as allowed may each have the most bytes, all of them escaped', async () => {
  const api = await startApi();
  const keys = Array.from(
    { length: 100 },
    (_, i) => `"${'\\u0061'.repeat(509)}${String(i).padStart(3, '0')}"`,
  );
  expect((await post(api, `{"keys":[${keys.join(',')}]}`)).status).toBe(200);
});

test('an unknown collection is 404', async () => {
  const api = await startApi();
  expect((await post(api, { keys: ['a'] }, '/v1/collections/nope/read')).status).toBe(404);
});
