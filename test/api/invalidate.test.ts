import { expect, test } from 'vitest';
import { problemOf, startApi } from './fixture.ts';

const PATH = '/v1/collections/orders/invalidate';

test('an invalidation says what became of each entry', async () => {
  const { request, holdfast } = await startApi();
  holdfast.entries.set('orders/a', { version: 4, value: '1' });
  const response = await request('POST', PATH, { body: Buffer.from('{"keys":["a","b","a"]}') });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    entries: [
      { key: 'a', outcome: 'invalidated', version: 6 },
      { key: 'b', outcome: 'absent', version: null },
    ],
  });
});

test.each([
  ['{"keys":[]}', '/keys'],
  ['{"keys":["a",""]}', '/keys/1'],
  ['{"keys":["a"],"all":true}', '/all'],
  ['{"keys":["\\udfff"]}', '/keys/0'],
])('%s is refused at %s', async (body, path) => {
  const { request, holdfast } = await startApi();
  const response = await request('POST', PATH, { body: Buffer.from(body) });
  expect(response.status).toBe(400);
  expect(await problemOf(response)).toMatchObject({ code: 'invalid-request', errors: [{ path }] });
  expect(holdfast.calls).toEqual([]);
});
