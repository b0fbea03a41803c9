import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ apis: 2, env: { PARTITIONS: '2' } });
});
afterAll(() => system.stop());

const collection = (name: string, path: string, api = 0) =>
  `${system.apis[api]?.url}/v1/collections/${name}/${path}`;

test('many entries are written, patched, read on another process, listed and told to have changed', async () => {
  const batch = await call('POST', `${system.url}/v1/batch`, {
    headers: { prefer: 'durability=persisted' },
    body: `{"operations":[${Array.from({ length: 30 }, (_, i) => `{"op":"put","collection":"carts","key":"c${i}","value":{"n": 9007199254740993, "i": ${i}}}`).join(',')},
      {"op":"increment","collection":"page-views","key":"home","by":2},{"op":"increment","collection":"page-views","key":"home","by":3}]}`,
  });
  expect(batch.status).toBe(200);
  expect(batch.json.results.map(({ state }: { state: string }) => state)).toEqual(
    Array.from({ length: 32 }, () => 'persisted'),
  );
  expect(batch.json.results.at(-1)).toMatchObject({ status: 200, value: 5 });
  expect(batch.headers.get('preference-applied')).toBe('durability=persisted');

  const patch = await call('PATCH', entryUrl(system.url, 'carts', 'c1'), {
    headers: { 'content-type': 'application/merge-patch+json' },
    body: '{"i":null,"note":"patched"}',
  });
  expect(patch).toMatchObject({ status: 202, json: { state: 'queued' } });
  const many = await call('POST', collection('carts', 'read', 1), { body: { keys: ['c1', 'never', 'c0'] } });
  expect(many.text).toMatch(
    /^\{"entries":\[\{"key":"c1","value":\{"n": ?9007199254740993, ?"note": ?"patched"\},"version":\d+\},\{"key":"c0",/,
  );
  expect(many.json.missing).toEqual(['never']);

  const list = async (query: string) => (await call('GET', collection('carts', `entries?${query}`, 1))).json;
  await until(async () => JSON.stringify((await list('prefix=c1')).entries[0].value).includes('patched'), {
    what: 'the patch is persisted',
  });
  const page = await list('prefix=c1&limit=2');
  expect(page.entries.map(({ key }: { key: string }) => key)).toEqual(['c1', 'c10']);
  expect(page.next).toBe('c10');

  await system.db.query(`UPDATE documents SET value = '"by SQL"' WHERE key = 'c0'`);
  const before = await call('GET', entryUrl(system.apis[1]?.url ?? '', 'carts', 'c0'));
  const told = await call('POST', collection('carts', 'invalidate'), { body: { keys: ['c0'] } });
  expect(told.json.entries).toMatchObject([{ key: 'c0', outcome: 'invalidated' }]);
  const after = await call('GET', entryUrl(system.apis[1]?.url ?? '', 'carts', 'c0'), {
    headers: { 'if-none-match': before.headers.get('etag') ?? '' },
  });
  expect([after.status, after.text]).toEqual([200, '"by SQL"']);
});

test('an atomic batch is in the database as a whole, or not at all', async () => {
  const order = (key: string, more: object = {}) => ({
    op: 'put',
    collection: 'orders',
    key,
    value: 1,
    ...more,
  });
  const send = (operations: object[]) =>
    call('POST', `${system.url}/v1/batch`, { body: { atomic: true, operations } });
  expect((await send([order('a'), order('b')])).json.results).toMatchObject([
    { status: 201 },
    { status: 201 },
  ]);
  const refused = await send([order('c'), order('a', { ifMatch: 12 })]);
  expect(refused).toMatchObject({ status: 412, json: { errors: [{ path: '/operations/1/ifMatch' }] } });
  const { rows } = await system.db.query(
    `SELECT key FROM documents WHERE collection = 'orders' ORDER BY key`,
  );
  expect(rows).toEqual([{ key: 'a' }, { key: 'b' }]);
});
