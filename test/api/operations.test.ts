import { expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import type { Operations } from '../../service/operations.ts';
import { FAKE_BATCH, FAKE_LETTER, FAKE_SUMMARY } from '../support/fake-operations.ts';
import { problemOf, startApi } from './fixture.ts';

const DISCARD = '/ops/v1/batches/write-behind:p00:s03/discard';
const LETTERS = '/ops/v1/dead-letters';

/** An API whose operations are these, and everything they were asked. */
async function startOperations(answers: Partial<Operations>) {
  const api = await startApi();
  const asked: unknown[][] = [];
  for (const [name, answer] of Object.entries(answers)) {
    Object.assign(api.holdfast.operations, {
      [name]: async (...args: unknown[]) => {
        asked.push([name, ...args]);
        return (answer as (...given: unknown[]) => unknown)(...args);
      },
    });
  }
  const post = (path: string, body?: unknown) =>
    api.request('POST', path, {
      headers: { 'content-type': 'application/json', 'x-request-id': 'r-1' },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  return { ...api, asked, post };
}

test('the summary says what waits, why, and what is not known', async () => {
  const { request } = await startOperations({});
  const response = await request('GET', '/ops/v1/summary');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(FAKE_SUMMARY)));
});

test('a discard names entries and a reason, and answers what became of each', async () => {
  const result = {
    batchId: '1-abc.p00.7',
    entries: [
      { collection: 'carts', key: 'a/b', version: 4, outcome: 'discarded' as const },
      { collection: 'carts', key: 'c', version: null, outcome: 'not-in-batch' as const },
    ],
    cacheTold: true,
    workflowTold: false,
  };
  const { post, asked } = await startOperations({ discardWrites: async () => result });
  const entries = [
    { collection: 'carts', key: 'a/b', version: 4 },
    { collection: 'carts', key: 'c' },
  ];
  for (const path of [DISCARD, DISCARD.replaceAll(':', '%3A')]) {
    const response = await post(path, { entries, reason: ' a mistake ' });
    expect([response.status, await response.json()]).toEqual([200, result]);
    expect(asked.pop()).toEqual([
      'discardWrites',
      'write-behind:p00:s03',
      { entries, reason: 'a mistake', by: 'api r-1' },
      { deadlineAt: expect.any(Number) },
    ]);
  }
});

test.each([
  ['no JSON', '{"entries": ', undefined],
  ['no reason', { entries: [{ collection: 'carts', key: 'a' }] }, '/reason'],
  ['an empty reason', { entries: [{ collection: 'carts', key: 'a' }], reason: '  ' }, '/reason'],
  ['a long reason', { entries: [{ collection: 'carts', key: 'a' }], reason: 'x'.repeat(501) }, '/reason'],
  ['no entries', { entries: [], reason: 'x' }, '/entries'],
  ['a key that is none', { entries: [{ collection: 'carts', key: '' }], reason: 'x' }, '/entries/0/key'],
  ['no key', { entries: [{ collection: 'carts' }], reason: 'x' }, '/entries/0/key'],
  [
    'another collection name',
    { entries: [{ collection: 'A', key: 'a' }], reason: 'x' },
    '/entries/0/collection',
  ],
  [
    'a version that is none',
    { entries: [{ collection: 'carts', key: 'a', version: 0 }], reason: 'x' },
    '/entries/0/version',
  ],
  ['an unknown member', { entries: [{ collection: 'carts', key: 'a' }], reason: 'x', force: true }, '/force'],
])('a discard with %s is refused, and nothing is asked of anybody', async (_, body, path) => {
  const { post, asked } = await startOperations({ discardWrites: () => Promise.reject(new Error('asked')) });
  const response = await post(DISCARD, body);
  expect(response.status).toBe(400);
  const problem = await problemOf(response);
  expect(problem.code).toBe('invalid-request');
  if (path !== undefined) expect(problem.errors).toMatchObject([{ path, message: expect.any(String) }]);
  expect(asked).toEqual([]);
});

test('dead letters come in pages, and "next" leads to the next one', async () => {
  const letter = FAKE_LETTER;
  const { request, asked } = await startOperations({ listDeadLetters: async () => [letter] });
  const list = async (query: string) => (await request('GET', LETTERS + query)).json();
  const shown = { ...letter, createdAt: '1970-01-01T00:00:00.000Z' };
  expect(await list('')).toEqual({ deadLetters: [shown], next: null });
  expect(await list('?after=3&limit=1')).toEqual({ deadLetters: [shown], next: 7 });
  expect(asked).toEqual([
    ['listDeadLetters', { after: 0, limit: 50 }],
    ['listDeadLetters', { after: 3, limit: 1 }],
  ]);
});

test.each(['?limit=0', '?limit=201', '?limit=x', '?after=-1', '?after=1.5', '?state=gone'])(
  'a list with %s is refused',
  async (query) => {
    const { request, asked } = await startOperations({ listDeadLetters: async () => [] });
    const response = await request('GET', LETTERS + query);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ code: 'invalid-request' });
    expect(asked).toEqual([]);
  },
);

test('a dead letter is retried without a body, and says which write is persisted now', async () => {
  const write = { collection: 'carts', key: 'a', version: 4 };
  const { post, asked } = await startOperations({ retryDeadLetter: async () => write });
  const response = await post(`${LETTERS}/7/retry`);
  expect([response.status, await response.json()]).toEqual([200, { ...write, state: 'persisted' }]);
  expect(asked).toEqual([['retryDeadLetter', 7, { by: 'api r-1' }, { deadlineAt: expect.any(Number) }]]);
});

test('a dead letter is discarded with a reason', async () => {
  const { post, asked } = await startOperations({ discardDeadLetter: async () => {} });
  const response = await post(`${LETTERS}/7/discard`, { reason: 'no use' });
  expect([response.status, await response.json()]).toEqual([200, { id: 7, state: 'discarded' }]);
  expect(asked).toEqual([['discardDeadLetter', 7, { reason: 'no use', by: 'api r-1' }]]);
  expect((await post(`${LETTERS}/7/discard`, {})).status).toBe(400);
  expect(asked).toHaveLength(1);
});

test.each(['0', '-1', 'x', '1.5', '9'.repeat(17)])('%s is the id of no dead letter', async (id) => {
  const { post, asked } = await startOperations({
    retryDeadLetter: () => Promise.reject(new Error('asked')),
    discardDeadLetter: () => Promise.reject(new Error('asked')),
  });
  for (const what of ['retry', 'discard']) {
    const response = await post(`${LETTERS}/${id}/${what}`, { reason: 'x' });
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ code: 'dead-letter-not-found' });
  }
  expect(asked).toEqual([]);
});

test.each([
  ['dead-letter-not-found', 404],
  ['dead-letter-discarded', 409],
  ['dead-letter-refused', 409],
  ['outcome-unknown', 503],
] as const)('%s is %d', async (code, status) => {
  const { post } = await startOperations({
    retryDeadLetter: () => Promise.reject(new HoldfastError(code, 'Why it was not done.')),
  });
  const response = await post(`${LETTERS}/7/retry`);
  expect(response.status).toBe(status);
  expect(await problemOf(response)).toMatchObject({ code, detail: 'Why it was not done.' });
});

test('a batch that is settled, or never was, is batch-not-found', async () => {
  const { post } = await startOperations({
    discardWrites: () => Promise.reject(new HoldfastError('batch-not-found', 'It is settled.')),
  });
  const response = await post(DISCARD, { entries: [{ collection: 'carts', key: 'a' }], reason: 'x' });
  expect(response.status).toBe(404);
  expect(await problemOf(response)).toMatchObject({ code: 'batch-not-found', detail: 'It is settled.' });
});

const json = (value: unknown) => JSON.parse(JSON.stringify(value));

test('batches are listed in pages, of one state where it is asked for, and one is shown with its writes', async () => {
  const { request, asked } = await startOperations({
    listBatches: async () => ({ batches: [FAKE_BATCH], next: FAKE_BATCH.workflowId }),
  });
  const list = async (query: string) => (await request('GET', `/ops/v1/batches${query}`)).json();
  expect(await list('')).toEqual({ batches: [json(FAKE_BATCH)], next: FAKE_BATCH.workflowId });
  await list('?state=stuck&after=write-behind%3Ap00%3As03&limit=1');
  expect(asked.map(([, page]) => page)).toEqual([
    { after: '', limit: 50 },
    { state: 'stuck', after: 'write-behind:p00:s03', limit: 1 },
  ]);
  for (const query of ['?state=gone', '?after=p00', '?limit=0', '?limit=101']) {
    expect((await request('GET', `/ops/v1/batches${query}`)).status).toBe(400);
  }
  const shown = await request('GET', '/ops/v1/batches/write-behind:p00:s03?after=50&limit=10');
  expect(await shown.json()).toMatchObject({ ...json(FAKE_BATCH), writes: [{ key: 'a', deleted: false }] });
});

test('a batch is retried without a body, in the name of who asks', async () => {
  const { post, asked } = await startOperations({
    retryBatch: async () => ({ state: 'retrying', pending: 3 }),
  });
  const response = await post('/ops/v1/batches/write-behind:p00:s03/retry');
  const workflowId = 'write-behind:p00:s03';
  expect(await response.json()).toEqual({ workflowId, state: 'retrying', pending: 3 });
  expect(asked).toEqual([['retryBatch', workflowId, { by: 'api r-1' }, { deadlineAt: expect.any(Number) }]]);
});

test('a batch that waits for nothing is 409', async () => {
  const { post } = await startOperations({
    retryBatch: () => Promise.reject(new HoldfastError('batch-not-waiting', 'Nothing is waiting.')),
  });
  const response = await post('/ops/v1/batches/write-behind:p00:s03/retry');
  expect([response.status, (await problemOf(response)).code]).toEqual([409, 'batch-not-waiting']);
});

test('a flush says what is left; a drain and its end say who decided it', async () => {
  const { post, request } = await startOperations({});
  expect(await (await post('/ops/v1/flush')).json()).toEqual({
    persisted: false,
    left: [{ partition: 0, batches: 2 }],
  });
  expect(await (await post('/ops/v1/drain')).json()).toMatchObject({ draining: true, by: 'api r-1' });
  expect(await (await request('DELETE', '/ops/v1/drain')).json()).toMatchObject({ draining: false });
  expect(await (await request('GET', '/readyz')).json()).toMatchObject({ draining: false });
});

test('while the queue is emptied, a write is 503 draining with Retry-After', async () => {
  const { holdfast, request } = await startOperations({});
  holdfast.before = () => {
    throw new HoldfastError('draining', 'Not now.', { retryAfterSeconds: 5 });
  };
  const headers = { 'content-type': 'application/json' };
  const response = await request('PUT', '/v1/collections/carts/entries/a', { headers, body: '1' });
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  expect(await problemOf(response)).toMatchObject({ code: 'draining' });
});

test('a dead letter is shown whole; its correction is the value itself, digit by digit', async () => {
  const corrected = {
    collection: 'carts',
    key: 'a',
    version: 6,
    state: 'persisted',
    resolved: true,
  } as const;
  const { post, request, asked } = await startOperations({ correctDeadLetter: async () => corrected });
  expect(await (await request('GET', `${LETTERS}/7`)).json()).toEqual(json(FAKE_LETTER));
  const response = await post(`${LETTERS}/7/correction`, '{"n": 12345678901234567890}');
  expect([response.status, await response.json()]).toEqual([200, corrected]);
  expect(asked[0]?.slice(0, 3)).toEqual(['correctDeadLetter', 7, '{"n": 12345678901234567890}']);
  expect((await post(`${LETTERS}/7/correction`, '{')).status).toBe(400);
  expect(asked).toHaveLength(1);
});

test('a correction that is not in PostgreSQL yet, or whose dead letter stays, is 202', async () => {
  const corrected = { collection: 'carts', key: 'a', version: 6 };
  for (const rest of [
    { state: 'queued', resolved: true },
    { state: 'cached', resolved: false },
    { state: 'persisted', resolved: false },
  ] as const) {
    const { post } = await startOperations({ correctDeadLetter: async () => ({ ...corrected, ...rest }) });
    expect((await post(`${LETTERS}/7/correction`, '1')).status).toBe(202);
  }
});

test('the correction of a counter is an integer', async () => {
  const { post } = await startOperations({
    showDeadLetter: async () => ({ ...FAKE_LETTER, kind: 'counter', value: '5' }),
  });
  expect((await post(`${LETTERS}/7/correction`, '1.5')).status).toBe(400);
  expect((await post(`${LETTERS}/7/correction`, '6')).status).toBe(200);
});

test('what operators did is listed, newest first', async () => {
  const { request, asked } = await startOperations({ listActions: async () => [] });
  expect(await (await request('GET', '/ops/v1/actions?before=9&limit=1')).json()).toEqual({
    actions: [],
    next: null,
  });
  expect(asked).toEqual([['listActions', { before: 9, limit: 1 }]]);
});
