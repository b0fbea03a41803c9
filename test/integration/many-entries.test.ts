import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { type Answer, call, entryUrl, type System, startSystem } from '../support/system.ts';

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

describe('two processes give the same answers', () => {
  const [ada, home, order] = ['carts/entries/ada', 'page-views/entries/visits', 'orders/entries/o-1'];
  const one = (api: number, method: string, path: string, options?: Parameters<typeof call>[2]) =>
    call(method, `${system.apis[api]?.url}/v1/${path === 'batch' ? path : `collections/${path}`}`, options);

  /** What a client sees of an answer, but for what is the answer's own: its request id and date. */
  const seen = ({ status, text, headers }: Answer) => ({
    status,
    text: text.replace(/"requestId":"[^"]+"/g, ''),
    etag: headers.get('etag'),
    type: headers.get('content-type'),
    replayed: headers.get('idempotent-replayed'),
    applied: headers.get('preference-applied'),
  });

  /** Sends the same to both, where that changes nothing, or nothing more; `first` is asked first. */
  async function both(method: string, path: string, options?: Parameters<typeof call>[2], first = 0) {
    const answer = await one(first, method, path, options);
    expect(seen(await one(1 - first, method, path, options))).toEqual(seen(answer));
    return answer;
  }

  test('to reads of what either of them has just written', async () => {
    for (const [i, path] of [ada, order, ada, order].entries()) {
      const put = await one(i % 2, 'PUT', path, { body: `{"n": 9007199254740993, "i": ${i}}` });
      expect(put.status).toBeLessThan(300);
      const got = await both('GET', path, {}, 1 - (i % 2));
      expect(got.text).toContain(`"i": ${i}`);
      expect(got.headers.get('etag')).toBe(put.headers.get('etag'));
      await both('HEAD', path);
      await both('GET', path, { headers: { 'if-none-match': put.headers.get('etag') ?? '' } });
    }
    for (let i = 0; i < 4; i++) {
      await one(i % 2, 'POST', `${home}/increment`);
      expect((await both('GET', home, {}, 1 - (i % 2))).text).toBe(String(i + 1));
    }
    for (const [i, path] of [ada, order].entries()) {
      await one(i, 'DELETE', path);
      expect((await both('GET', path, {}, 1 - i)).status).toBe(404);
    }
  });

  test('to conditions: one write for each version, whoever is asked', async () => {
    for (const path of [ada, order]) {
      const { headers } = await one(0, 'PUT', path, { body: 1, headers: { 'if-none-match': '*' } });
      expect((await both('PUT', path, { body: 2, headers: { 'if-none-match': '*' } })).status).toBe(412);
      const condition = { headers: { 'if-match': headers.get('etag') ?? '' } };
      const race = await Promise.all(
        Array.from({ length: 10 }, (_, i) => one(i % 2, 'PUT', path, { body: i, ...condition })),
      );
      expect(race.filter(({ status }) => status < 300)).toHaveLength(1);
      for (const { status } of race) expect([200, 202, 412]).toContain(status);
      const lost = await both('DELETE', path, condition);
      expect([lost.status, lost.headers.get('etag')]).toEqual([
        412,
        (await one(1, 'GET', path)).headers.get('etag'),
      ]);
    }
  });

  test('to a batch of one of them, to reads of many and to listings', async () => {
    for (const api of [0, 1]) {
      const operations = Array.from({ length: 10 }, (_, i) => ({
        op: 'put',
        collection: i % 2 === 0 ? 'carts' : 'orders',
        key: `many-${i}`,
        value: { api, i },
      }));
      expect((await one(api, 'POST', 'batch', { body: { operations } })).status).toBe(200);
      for (const collection of ['carts', 'orders']) {
        const keys = [...operations.map(({ key }) => key), 'never'];
        const many = await both('POST', `${collection}/read`, { body: { keys } }, 1 - api);
        expect(many.json.entries.map(({ value }: { value: object }) => value)).toEqual(
          operations.filter((one) => one.collection === collection).map(({ value }) => value),
        );
        expect(many.json.missing).toHaveLength(6);
      }
    }
    const page = await both('GET', 'orders/entries?prefix=many-&limit=3');
    expect(page.json.next).toBe('many-5');
    // What PostgreSQL has yet to get, the one may see later than the other.
    const persisted = async () => {
      const { json } = await one(0, 'GET', 'carts/entries?prefix=many-');
      const apis = json.entries.map(({ value }: { value: { api: number } }) => value.api);
      return apis.length === 5 && !apis.includes(0);
    };
    await until(persisted, { what: 'the carts' });
    await both('GET', 'carts/entries?prefix=many-');
    await both('GET', 'carts/entries?after=many-2');
  });

  test('to repetitions: an Idempotency-Key is known to both, and so is its abuse', async () => {
    const headers = { 'idempotency-key': 'k-1', prefer: 'durability=persisted' };
    const requests = [
      ['PUT', ada, { body: 1, headers }],
      ['PUT', order, { body: 1, headers }],
      ['POST', `${home}/increment`, { body: { by: 5 }, headers }],
      [
        'PATCH',
        'carts/entries/patched',
        { body: '{"a":1}', headers: { ...headers, 'content-type': 'application/merge-patch+json' } },
      ],
      ['DELETE', 'orders/entries/deleted', { headers }],
    ] as const;
    await one(0, 'PUT', 'carts/entries/patched', { body: {} });
    for (const [method, path, options] of requests) {
      const first = await one(0, method, path, options);
      expect(first.headers.get('idempotent-replayed')).toBeNull();
      const again = await both(method, path, options, 1);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(again.json).toEqual(first.json);
      if (method === 'DELETE') continue;
      const { body: _, ...other } = options;
      const type = method === 'PATCH' ? options.headers : { ...other.headers };
      const reused = await both(method, path, { body: '{"by":7}', headers: type }, 1);
      expect([reused.status, reused.json.code]).toEqual([422, 'idempotency-key-reused']);
    }
    const operations = [
      { op: 'increment', collection: 'page-views', key: 'batched', by: 2 },
      { op: 'increment', collection: 'page-views', key: 'batched', by: 3 },
    ];
    const batch = { body: { operations }, headers };
    const first = await one(1, 'POST', 'batch', batch);
    expect((await both('POST', 'batch', batch)).json).toEqual(first.json);
    expect((await both('GET', 'page-views/entries/batched')).text).toBe('5');
  });

  test('to what is wrong, and to what there is', async () => {
    for (const [method, path, options] of [
      ['GET', 'nope/entries/a', {}],
      ['PUT', ada, { body: '{' }],
      ['POST', ada, {}],
      ['POST', `${ada}/increment`, {}],
      ['PUT', ada, { body: '1', headers: { 'content-type': 'text/plain' } }],
      ['GET', ada, { headers: { accept: 'text/html' } }],
    ] as const) {
      expect((await both(method, path, options)).status).toBeGreaterThanOrEqual(400);
    }
    for (const path of ['/v1/collections', '/openapi.json', '/docs', '/readyz']) {
      const [first, second] = await Promise.all(system.apis.map(({ url }) => call('GET', `${url}${path}`)));
      expect(seen(second as Answer)).toEqual(seen(first as Answer));
    }
  });
});
