import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { partitionKeys } from '../../storage/redis/keys.ts';
import { type Answer, call, entryUrl, type System, startSystem } from '../support/system.ts';

let system: System;
let blocking: Pool;
beforeAll(async () => {
  system = await startSystem({
    apis: 2,
    env: {
      POSTGRES_TIMEOUT_MS: '1000',
      CLOCK_TOLERANCE_MS: '100',
      REQUEST_DEADLINE_MS: '30000',
      TEMPORAL_TIMEOUT_MS: '3000',
    },
  });
  blocking = new Pool({ connectionString: system.env.DATABASE_URL ?? '', max: 1 });
});
afterAll(async () => {
  await blocking.end();
  await system.stop();
});

const put = (key: string, body: unknown, durability = 'queued') =>
  call('PUT', entryUrl(system.url, 'carts', key), { body, headers: { prefer: `durability=${durability}` } });

/** While it lasts nobody can write documents; they can be read. */
async function withoutWrites(work: () => Promise<void>): Promise<void> {
  const session = await blocking.connect();
  try {
    await session.query('BEGIN; LOCK TABLE documents IN SHARE MODE');
    await work();
  } finally {
    await session.query('ROLLBACK');
    session.release();
  }
}

/** The workflow that holds the pending write of an entry. */
async function workflowOf(key: string): Promise<string> {
  return await until(
    async () =>
      (await call('GET', `${entryUrl(system.url, 'carts', key)}/explanation`)).json.pending?.workflowId as
        | string
        | undefined,
    { what: `the workflow of ${key}` },
  );
}

function discard(workflowId: string, entries: readonly { key: string; version?: number }[]): Promise<Answer> {
  return call('POST', `${system.url}/ops/v1/batches/${workflowId}/discard`, {
    body: { entries: entries.map((entry) => ({ collection: 'carts', ...entry })), reason: 'a mistake' },
  });
}

async function readsEverywhere(key: string, expected: string): Promise<void> {
  for (const api of system.apis) {
    expect((await call('GET', entryUrl(api.url, 'carts', key))).text).toBe(expected);
  }
}

const rowOf = async (key: string) =>
  (await system.db.query<{ value: unknown }>('SELECT value FROM documents WHERE key = $1', [key])).rows[0]
    ?.value;

test('a write is discarded while PostgreSQL takes none: its neighbours are persisted later, its entry keeps its row', async () => {
  expect((await put('victim', '"former"', 'persisted')).json.state).toBe('persisted');
  await withoutWrites(async () => {
    await Promise.all([
      put('victim', '"mistake"'),
      ...Array.from({ length: 5 }, (_, i) => put(`neighbour-${i}`, i)),
    ]);
    await readsEverywhere('victim', '"mistake"');
    const workflowId = await workflowOf('victim');
    const answer = await until(
      async () => {
        const discarded = await discard(workflowId, [{ key: 'victim' }, { key: 'stranger' }]);
        return discarded.status === 200 ? discarded : undefined;
      },
      { what: 'the discard', timeoutMs: 20_000 },
    );
    expect(answer.json).toMatchObject({
      entries: [
        { key: 'victim', outcome: 'discarded' },
        { key: 'stranger', version: null, outcome: 'not-in-batch' },
      ],
      cacheTold: true,
      workflowTold: true,
    });
    await readsEverywhere('victim', '"former"');
    const again = await discard(workflowId, [{ key: 'victim' }]);
    expect(again.status === 404 || again.json.entries[0].outcome === 'already-listed').toBe(true);
  });
  await until(async () => (await rowOf('neighbour-4')) === 4, { what: 'the neighbours', timeoutMs: 30_000 });
  await readsEverywhere('victim', '"former"');
  expect(await rowOf('victim')).toBe('former');
  const { deadLetters } = (await call('GET', `${system.url}/ops/v1/dead-letters`)).json;
  expect(deadLetters).toMatchObject([
    { key: 'victim', state: 'discarded', reason: 'a mistake', value: '"mistake"', sqlstate: null },
  ]);
  expect((await call('POST', `${system.url}/ops/v1/dead-letters/${deadLetters[0].id}/retry`)).json.code).toBe(
    'dead-letter-discarded',
  );
});

test('whoever waited for a discarded write is told that it was not persisted', async () => {
  await withoutWrites(async () => {
    const waiting = put('awaited', '"mistake"', 'persisted');
    const workflowId = await workflowOf('awaited');
    await until(async () => (await discard(workflowId, [{ key: 'awaited' }])).status === 200, {
      what: 'the discard',
      timeoutMs: 20_000,
    });
    const answer = await waiting;
    expect([answer.status, answer.json.code]).toEqual([400, 'invalid-request']);
    expect(answer.json.detail).toMatch(/discarded/);
  });
});

test('a discard holds although no worker could be told of it: the batch is persisted later without that write', async () => {
  await put('untold', '"former"', 'persisted');
  await Promise.all(system.workers.map((worker) => worker.kill()));
  await Promise.all([put('untold', '"mistake"'), put('untold-neighbour', 1)]);
  const answer = await discard(await workflowOf('untold'), [{ key: 'untold' }]);
  expect(answer.json).toMatchObject({
    entries: [{ outcome: 'discarded' }],
    cacheTold: true,
    workflowTold: false,
  });
  await readsEverywhere('untold', '"former"');
  await system.startWorker();
  const redis = new Redis(system.redis.url);
  try {
    await until(async () => (await redis.hlen(partitionKeys(0).sent)) === 0, {
      what: 'every batch to be done',
      timeoutMs: 45_000,
    });
  } finally {
    redis.disconnect();
  }
  expect(await rowOf('untold-neighbour')).toBe(1);
  expect(await rowOf('untold')).toBe('former');
  await readsEverywhere('untold', '"former"');
});

test('a discard that names another version leaves the write alone', async () => {
  await withoutWrites(async () => {
    const { version } = (await put('versioned', 1)).json;
    const answer = await discard(await workflowOf('versioned'), [{ key: 'versioned', version: version - 2 }]);
    expect(answer.json.entries).toMatchObject([{ outcome: 'not-in-batch' }]);
  });
  await until(async () => (await rowOf('versioned')) === 1, { what: 'the row', timeoutMs: 30_000 });
});

test('a slot without a batch on its way is batch-not-found', async () => {
  for (const name of ['write-behind:p00:s31', 'write-behind:p09:s00', 'repair-cache:p00:x']) {
    const answer = await discard(name, [{ key: 'a' }]);
    expect([answer.status, answer.json.code]).toEqual([404, 'batch-not-found']);
  }
});

test('a dead letter is retried once its cause is gone: both processes read it, and it is no longer listed', async () => {
  await put('poisoned', '"former"', 'persisted');
  await system.db.query(
    `ALTER TABLE documents ADD CONSTRAINT poison CHECK (value::text NOT LIKE '%poison%')`,
  );
  expect((await put('poisoned', '"poison"', 'persisted')).status).toBe(400);
  for (const api of system.apis) {
    await until(async () => (await call('GET', entryUrl(api.url, 'carts', 'poisoned'))).text === '"former"', {
      what: 'the former value',
    });
  }
  const listed = async () =>
    (await call('GET', `${system.url}/ops/v1/dead-letters`)).json.deadLetters.filter(
      (letter: { key: string }) => letter.key === 'poisoned',
    );
  const [{ id, version }] = await listed();
  const retry = () => call('POST', `${system.apis[1]!.url}/ops/v1/dead-letters/${id}/retry`);
  const refused = await retry();
  expect([refused.status, refused.json.code]).toEqual([409, 'dead-letter-refused']);
  expect(await listed()).toHaveLength(1);
  await system.db.query('ALTER TABLE documents DROP CONSTRAINT poison');
  const retried = await retry();
  expect([retried.status, retried.json]).toEqual([
    200,
    { collection: 'carts', key: 'poisoned', version, state: 'persisted' },
  ]);
  for (const api of system.apis) {
    await until(async () => (await call('GET', entryUrl(api.url, 'carts', 'poisoned'))).text === '"poison"', {
      what: 'the retried value',
    });
  }
  expect(await listed()).toEqual([]);
  expect((await retry()).json.code).toBe('dead-letter-not-found');
});
