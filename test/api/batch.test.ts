import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import { type ApiFixture, problemOf, startApi } from './fixture.ts';

const post = (api: ApiFixture, body: unknown, headers: Record<string, string> = {}) =>
  api.request('POST', '/v1/batch', {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
const resultsOf = async (response: Response) =>
  ((await response.json()) as { results: Record<string, unknown>[] }).results;
const errorsOf = async (response: Response) =>
  ((await problemOf(response)).errors as { path: string; message: string }[]) ?? [];
const cart = (op: object) => ({ collection: 'carts', key: 'ada', ...op });

describe('a batch', () => {
  test('answers one result for each operation, in order: a receipt with its status', async () => {
    const api = await startApi();
    const response = await post(api, {
      operations: [
        { op: 'put', collection: 'orders', key: 'o-1', value: 1 },
        { op: 'increment', collection: 'page-views', key: 'home', by: 2 },
        { op: 'delete', collection: 'carts', key: 'a/b "c"' },
        { op: 'increment', collection: 'page-views', key: 'home' },
      ],
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await resultsOf(response)).toEqual([
      { status: 201, collection: 'orders', key: 'o-1', version: expect.any(Number), state: 'persisted' },
      {
        status: 202,
        collection: 'page-views',
        key: 'home',
        version: expect.any(Number),
        state: 'cached',
        value: 2,
      },
      { status: 202, collection: 'carts', key: 'a/b "c"', version: expect.any(Number), state: 'queued' },
      {
        status: 202,
        collection: 'page-views',
        key: 'home',
        version: expect.any(Number),
        state: 'cached',
        value: 3,
      },
    ]);
  });

  test('keeps the text of each value', async () => {
    const api = await startApi();
    const value = '{"n": 9007199254740993,"m":1.10, "s":"\\u00e9,]}"}';
    await post(
      api,
      ` {"operations" : [ {"value" : ${value} , "op":"put","collection":"carts","key":"ada"} ] } `,
    );
    expect(api.holdfast.entries.get('carts/ada')?.value).toBe(value);
    await post(api, '{"operations":[{"op":"put","collection":"page-views","key":"home","value":-0}]}');
    expect(api.holdfast.entries.get('page-views/home')?.value).toBe('0');
  });

  test('has a problem in the place of an operation that failed, and goes on with the others', async () => {
    const api = await startApi();
    const response = await post(api, {
      operations: [cart({ op: 'put', value: 1, ifMatch: 12 }), cart({ op: 'put', value: 2 })],
    });
    const [failed, written] = await resultsOf(response);
    expect(failed).toMatchObject({
      status: 412,
      code: 'precondition-failed',
      type: 'urn:holdfast:problem:precondition-failed',
      currentVersion: 0,
      requestId: response.headers.get('x-request-id'),
    });
    expect(written).toMatchObject({ status: 202, state: 'queued' });
  });

  test('does not go on with an entry whose state is not known', async () => {
    const api = await startApi();
    let calls = 0;
    api.holdfast.before = ({ key }) => {
      if (key === 'ada' && calls++ === 0) throw new HoldfastError('outcome-unknown', 'Who knows.');
    };
    const operations = [
      cart({ op: 'delete' }),
      cart({ op: 'delete' }),
      { ...cart({ op: 'delete' }), key: 'b' },
    ];
    const results = await resultsOf(await post(api, { operations }));
    expect(results.map(({ code }) => code)).toEqual(['outcome-unknown', 'dependency-unavailable', undefined]);
    expect(results[0]).toMatchObject({ status: 503, retryAfterSeconds: 1 });
    expect(api.holdfast.calls.length).toBe(2);
  });

  test('waits for the level that Prefer asks for, and says whether all reached it', async () => {
    const api = await startApi();
    const operations = [cart({ op: 'delete' }), { op: 'delete', collection: 'orders', key: 'o' }];
    const prefer = { prefer: 'durability=persisted' };
    const reached = await post(api, { operations }, prefer);
    expect(reached.headers.get('preference-applied')).toBe('durability=persisted');
    api.holdfast.reached = 'cached';
    expect((await post(api, { operations }, prefer)).headers.get('preference-applied')).toBeNull();
  });

  test('that is atomic is a problem of the whole request where one operation stops it', async () => {
    const api = await startApi();
    const order = { op: 'put', collection: 'orders', key: 'o', value: 1 };
    expect(
      (await resultsOf(await post(api, { atomic: true, operations: [order] }))).map(({ status }) => status),
    ).toEqual([201]);
    const response = await post(api, {
      atomic: true,
      operations: [
        { ...order, value: 2 },
        { ...order, key: 'p', ifMatch: 12 },
      ],
    });
    expect(response.status).toBe(412);
    expect(api.holdfast.entries.get('orders/o')?.value).toBe('1');
  });
});

describe('a malformed batch is refused with all that is wrong, and nothing of it is done', () => {
  const good = cart({ op: 'put', value: 1 });
  test.each<[string, unknown, string[]]>([
    ['not JSON', '{"operations":[', ['/operations/0']],
    ['no object', [], ['']],
    ['empty', '', ['']],
    ['no operations', {}, ['/operations']],
    ['an empty list', { operations: [] }, ['/operations']],
    ['no list', { operations: { 0: good } }, ['/operations']],
    ['an unknown member', { operations: [good], atomicity: true }, ['/atomicity']],
    ['no boolean', { operations: [good], atomic: 'yes' }, ['/atomic']],
    ['no operation', { operations: [good, 5, null] }, ['/operations/1', '/operations/2']],
    ['an unknown op', { operations: [{ ...good, op: 'patch' }] }, ['/operations/0/op']],
    ['no op', { operations: [{ collection: 'carts', key: 'a' }] }, ['/operations/0/op']],
    ['no value', { operations: [cart({ op: 'put' })] }, ['/operations/0/value']],
    [
      'members of another op',
      { operations: [cart({ op: 'delete', value: 1, by: 1 }), cart({ op: 'put', value: 1, 'a/b~': 1 })] },
      ['/operations/0/value', '/operations/0/by', '/operations/1/a~1b~0'],
    ],
    [
      'keys that are none',
      { operations: ['', '.', 'a\nb', 'x'.repeat(513), 5].map((key) => ({ ...good, key })) },
      [0, 1, 2, 3, 4].map((i) => `/operations/${i}/key`),
    ],
    [
      'an unknown collection',
      { operations: [{ ...good, collection: 'nope' }] },
      ['/operations/0/collection'],
    ],
    ['a name that is none', { operations: [{ ...good, collection: 'No' }] }, ['/operations/0/collection']],
    ['an increment of a document', { operations: [cart({ op: 'increment' })] }, ['/operations/0/op']],
    [
      'a counter that is no integer',
      '{"operations":[{"op":"put","collection":"page-views","key":"a","value":1.0},{"op":"put","collection":"page-views","key":"a","value":"1"}]}',
      ['/operations/0/value', '/operations/1/value'],
    ],
    [
      'steps that are no integers',
      `{"operations":[${['1.0', '1e3', '"1"', 'null', '9007199254740992']
        .map((by) => `{"op":"increment","collection":"page-views","key":"a","by":${by}}`)
        .join(',')}]}`,
      [0, 1, 2, 3, 4].map((i) => `/operations/${i}/by`),
    ],
    [
      'conditions that are no versions',
      { operations: [0, -1, 1.5, '"12"', 2 ** 53].map((ifMatch) => ({ ...good, ifMatch })) },
      [0, 1, 2, 3, 4].map((i) => `/operations/${i}/ifMatch`),
    ],
    ['a member twice', '{"operations":[{"op":"delete","op":"put"}]}', ['/operations/0/op']],
    [
      'NUL in a key',
      '{"operations":[{"op":"delete","collection":"carts","key":"a\\u0000"}]}',
      ['/operations/0/key'],
    ],
    [
      'half a surrogate pair in a key',
      '{"operations":[{"op":"delete","collection":"carts","key":"\\ud800"}]}',
      ['/operations/0/key'],
    ],
    [
      'half a surrogate pair in a value',
      '{"operations":[{"op":"put","collection":"carts","key":"a","value":{"b":["\\udc00"]}}]}',
      ['/operations/0/value/b/0'],
    ],
    [
      'a value that is too deep',
      `{"operations":[{"op":"put","collection":"carts","key":"a","value":${'['.repeat(101)}${']'.repeat(101)}}]}`,
      [`/operations/0/value${'/0'.repeat(100)}`],
    ],
    [
      'atomic with write-behind, and an entry twice',
      {
        atomic: true,
        operations: [good, { ...good, collection: 'orders' }, { ...good, collection: 'orders' }],
      },
      ['/operations/0/collection', '/operations/2/key'],
    ],
    ['too many', { operations: Array.from({ length: 101 }, () => good) }, ['/operations']],
  ])('%s', async (_, body, paths) => {
    const api = await startApi();
    const response = await post(api, body);
    expect(response.status).toBe(400);
    const errors = await errorsOf(response);
    expect([...new Set(errors.map(({ path }) => path))]).toEqual(paths);
    for (const { message } of errors) expect(message).not.toBe('Invalid input');
    expect(api.holdfast.calls).toEqual([]);
  });

  test('a value of 100 levels is not too deep', async () => {
    const api = await startApi();
    const value = `${'['.repeat(100)}${']'.repeat(100)}`;
    const body = `{"operations":[{"op":"put","collection":"carts","key":"a","value":${value}}]}`;
    expect((await post(api, body)).status).toBe(200);
  });

  test('values and bodies that are too large are 413', async () => {
    const api = await startApi();
    const value = 'x'.repeat(1_024);
    const large = await post(api, { operations: [good, cart({ op: 'put', value })] });
    expect([large.status, (await errorsOf(large)).map(({ path }) => path)]).toEqual([
      413,
      ['/operations/1/value'],
    ]);
    expect((await post(api, { operations: [good], x: 'x'.repeat(64 * 1_024) })).status).toBe(413);
    expect(api.holdfast.calls).toEqual([]);
  });

  test('of operations past the limit none is looked at', async () => {
    const api = await startApi({ MAX_BATCH_BYTES: 1024 * 1024 });
    for (const element of ['{}', '5']) {
      const response = await post(api, `{"operations":[${Array(200_000).fill(element).join(',')}]}`);
      expect(response.status).toBe(400);
      expect(await errorsOf(response)).toEqual([
        { path: '/operations', message: 'must not be more than 100' },
      ]);
    }
  });

  test('of many mistakes the first 100 are named, and that there are more', async () => {
    const api = await startApi({ MAX_BATCH_BYTES: 1024 * 1024 });
    const unknown = Array.from({ length: 50_000 }, (_, i) => `"${i}":1`).join(',');
    const bodies = [
      `{"operations":[{"op":"delete","collection":"carts","key":"a",${unknown}}]}`,
      JSON.stringify({ operations: Array(100).fill({ op: 'delete', collection: 'No', key: '' }) }),
    ];
    for (const body of bodies) {
      const problem = await problemOf(await post(api, body));
      expect(problem.errors).toHaveLength(100);
      expect(problem.detail).toContain('More is wrong than the 100');
    }
  });

  test('a condition of the whole request is refused', async () => {
    const api = await startApi();
    expect((await post(api, { operations: [good] }, { 'if-match': '"12"' })).status).toBe(400);
    expect((await post(api, { operations: [good] }, { 'if-none-match': '*' })).status).toBe(400);
  });
});
