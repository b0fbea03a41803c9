import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Kysely, sql } from 'kysely';
import { DatabaseError } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HoldfastError } from '../../domain/errors.ts';
import { createDatabase } from '../../storage/postgres/database.ts';
import type { Database } from '../../storage/postgres/database-types.ts';
import {
  describeError,
  didNotHappen,
  isDataError,
  isPermanentError,
  isUnreachable,
  NothingWritten,
  sqlState,
} from '../../storage/postgres/errors.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { readEntry } from '../../storage/postgres/read-entry.ts';
import { batchOf, type Fixture, migratedDatabase, put } from './postgres-fixture.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await migratedDatabase();
});
afterAll(() => fixture.close());

/** The error of some work that must fail. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it succeeded');
}

function kindOf(error: unknown) {
  return {
    data: isDataError(error),
    permanent: isPermanentError(error),
    unreachable: isUnreachable(error),
  };
}
const NONE = { data: false, permanent: false, unreachable: false };

/** A way to the server that can be made to hang: bytes no longer pass, connections stay open. */
async function hangingProxy(url: string): Promise<{ url: string; hang(): void; close(): void }> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let hung = false;
  const server: Server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (!hung) to.write(bytes);
      });
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  target.hostname = '127.0.0.1';
  const through = new URL(target.href);
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    hang: () => {
      hung = true;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('64-bit integers are numbers, in this pool only', async () => {
  const { rows } = await sql`SELECT 9007199254740991::bigint AS n`.execute(fixture.db);
  expect(rows).toEqual([{ n: Number.MAX_SAFE_INTEGER }]);
  const { types } = await import('pg');
  expect(types.getTypeParser(20)('5')).toBe('5');
});

test('sessions carry the timeouts, the name and the isolation that the statements rely on', async () => {
  const db = fixture.open({ timeoutMs: 1_234 });
  const { rows } = await sql`SELECT current_setting('statement_timeout') AS statement,
    current_setting('idle_in_transaction_session_timeout') AS idle,
    current_setting('application_name') AS name,
    current_setting('transaction_isolation') AS isolation`.execute(db);
  expect(rows).toEqual([
    { statement: '1234ms', idle: '1234ms', name: 'holdfast-test', isolation: 'read committed' },
  ]);
});

test('connections that the server ends while idle, or between two statements, do not end the process', async () => {
  const db = fixture.open({ poolSize: 3 });
  await Promise.all([1, 2, 3].map(() => sql`SELECT pg_sleep(0.05)`.execute(db)));
  const error = await failure(
    db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(trx);
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(fixture.db);
      await expect
        .poll(async () => {
          const left = await sql`SELECT FROM pg_stat_activity WHERE pid = ${rows[0]!.pid}`.execute(
            fixture.db,
          );
          return left.rows.length;
        })
        .toBe(0);
      await sql`SELECT 1`.execute(trx);
    }),
  );
  expect(kindOf(error)).toEqual({ ...NONE, unreachable: true });
  // The news of the other connections may still be under way; each can fail one statement before the pool drops it.
  await expect
    .poll(async () => (await sql`SELECT 1 AS one`.execute(db).catch(() => ({ rows: [] }))).rows)
    .toEqual([{ one: 1 }]);
});

test('a connection that is lost inside a transaction is reported as what it was lost to', async () => {
  const error = await failure(
    fixture.db
      .transaction()
      .execute((trx) => sql`SELECT pg_terminate_backend(pg_backend_pid())`.execute(trx)),
  );
  expect(sqlState(error)).toBe('57P01');
  expect(kindOf(error)).toEqual({ ...NONE, unreachable: true });
});

test('a server that hangs costs a bounded time, and its connections are not used again', async () => {
  const proxy = await hangingProxy(fixture.url);
  const { db, close } = createDatabase({
    url: proxy.url,
    poolSize: 2,
    timeoutMs: 200,
    applicationName: 'holdfast-test',
  });
  try {
    await persistBatch(db, batchOf([put('hung', 2, '1')]));
    proxy.hang();
    const start = performance.now();
    const inTransaction = await failure(persistBatch(db, batchOf([put('hung', 4, '2')])));
    expect(kindOf(inTransaction)).toEqual({ ...NONE, unreachable: true });
    expect((inTransaction as Error).message).toBe('Query read timeout');
    const connecting = await failure(readEntry(db, 'document', { collection: 'carts', key: 'hung' }));
    expect(kindOf(connecting)).toEqual({ ...NONE, unreachable: true });
    // One client-side timeout of 700 ms and one connection timeout of 200 ms, with room for a busy machine.
    expect(performance.now() - start).toBeLessThan(5_000);
  } finally {
    proxy.close();
    await close();
  }
});

test('waiting for a connection, and for a lock, end in time', async () => {
  const db: Kysely<Database> = fixture.open({ poolSize: 1, timeoutMs: 300 });
  await db.connection().execute(async () => {
    const error = await failure(sql`SELECT 1`.execute(db));
    expect(kindOf(error)).toEqual({ ...NONE, unreachable: true });
  });
  await persistBatch(fixture.db, batchOf([put('locked', 2, '1')]));
  await fixture.db.transaction().execute(async (trx) => {
    await sql`SELECT FROM documents WHERE key = 'locked' FOR UPDATE`.execute(trx);
    const error = await failure(persistBatch(db, batchOf([put('locked', 4, '2')])));
    expect(sqlState(error)).toBe('57014');
    expect(kindOf(error)).toEqual({ ...NONE, unreachable: true });
  });
  expect(await persistBatch(db, batchOf([put('locked', 6, '3')]))).toMatchObject({ outcome: 'persisted' });
});

test('a process that stops inside a transaction loses its locks after a while', async () => {
  const stopped = fixture.open({ poolSize: 1, timeoutMs: 200 });
  const error = await failure(
    stopped.transaction().execute(async (trx) => {
      await sql`SELECT FROM partition_clocks FOR UPDATE`.execute(trx);
      expect(await persistBatch(fixture.db, batchOf([put('a', 2, '1')]))).toMatchObject({
        outcome: 'persisted',
      });
      await sql`SELECT 1`.execute(trx);
    }),
  );
  expect(kindOf(error)).toEqual({ ...NONE, unreachable: true });
});

test('errors of real statements are classified', async () => {
  const { db } = fixture;
  const permanent = { ...NONE, permanent: true };
  expect(kindOf(await failure(sql`SELECT * FROM nowhere`.execute(db)))).toEqual(permanent);
  expect(kindOf(await failure(sql`SELEC`.execute(db)))).toEqual(permanent);
  expect(kindOf(await failure(sql`SELECT 'x'::jsonb`.execute(db)))).toEqual({ ...NONE, data: true });
  const deadlock = sql`DO $$ BEGIN RAISE 'deadlock' USING ERRCODE = '40P01'; END $$`;
  expect(kindOf(await failure(deadlock.execute(db)))).toEqual(NONE);
  expect(kindOf(await failure(sql`DO $$ BEGIN RAISE 'no'; END $$`.execute(db)))).toEqual({
    ...NONE,
    data: true,
  });
  const itsOwn = sql`DO $$ BEGIN RAISE 'not now' USING ERRCODE = 'P0999'; END $$`;
  expect(kindOf(await failure(itsOwn.execute(db)))).toEqual(NONE);
  for (const url of [
    Object.assign(new URL(fixture.url), { pathname: '/not-there' }),
    Object.assign(new URL(fixture.url), { username: 'nobody-here', password: 'wrong' }),
  ]) {
    const other = createDatabase({ url: url.href, poolSize: 1, timeoutMs: 5_000, applicationName: 'x' });
    expect(kindOf(await failure(sql`SELECT 1`.execute(other.db)))).toEqual(permanent);
    await other.close();
  }
});

test('what Node.js reports of a lost server is unreachable, also as a cause; a mistake of ours is not', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  for (const error of [
    refused,
    new AggregateError([refused]),
    new HoldfastError('internal', 'no', { cause: refused }),
    Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }),
    new Error('Connection terminated unexpectedly'),
  ]) {
    expect(kindOf(error)).toEqual({ ...NONE, unreachable: true });
    expect(sqlState(error)).toBeUndefined();
  }
  expect(kindOf(new TypeError('x is not a function'))).toEqual(NONE);
  expect(kindOf('text')).toEqual(NONE);
});

test('a described error is one line that names the SQLSTATE and no value', async () => {
  const { db } = fixture;
  for (const [value, type] of [
    ['secret', 'bigint'],
    ['secret "quoted" text', 'bigint'],
    ['{"secret', 'jsonb'],
    ['secret', 'timestamptz'],
    ['secret\nlines', 'uuid'],
  ] as const) {
    const text = describeError(await failure(sql`SELECT ${value}::text::${sql.raw(type)}`.execute(db)));
    expect(text).toMatch(/^invalid input syntax for type \S+ ?.*\(SQLSTATE 22.{3}\)$/);
    expect(text).not.toMatch(/secret|quoted|lines|\n/);
  }
  expect(describeError(await failure(sql`SELECT * FROM nowhere`.execute(db)))).toBe(
    'relation "nowhere" does not exist (SQLSTATE 42P01)',
  );
  expect(describeError(new AggregateError([new Error('connect A'), new Error('connect B')]))).toBe(
    'connect A; connect B',
  );
});

test('what the server refused certainly did not happen; what a crash or a broken connection ended may have', () => {
  const ofServer = (code: string) => Object.assign(new DatabaseError('refused', 0, 'error'), { code });
  for (const code of [
    '53100',
    '53300',
    '57014',
    '42P01',
    '23505',
    '22001',
    '40P01',
    '55P03',
    '57P03',
    '28P01',
    'P0001',
    'P0002',
  ])
    expect(`${code} ${didNotHappen(ofServer(code))}`).toBe(`${code} true`);
  for (const code of ['57P01', '57P02', '40003', '08006', '58030', 'XX000'])
    expect(`${code} ${didNotHappen(ofServer(code))}`).toBe(`${code} false`);
  // What ended the transaction before its commit was sent.
  const before = new NothingWritten(ofServer('57P01'));
  expect([didNotHappen(before), sqlState(before), describeError(before)]).toEqual([
    true,
    '57P01',
    'refused (SQLSTATE 57P01)',
  ]);
  expect(didNotHappen(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))).toBe(false);
});

test('what a function in the database raised certainly did not happen, whatever SQLSTATE it has', async () => {
  const { db } = fixture;
  for (const code of ['45000', '99001', 'MY001', 'U0001', 'APP01', '40003', '08006', '58030', 'XX000']) {
    const error = await failure(
      sql.raw(`DO $$ BEGIN RAISE 'no' USING ERRCODE = '${code}'; END $$`).execute(db),
    );
    expect([sqlState(error), didNotHappen(error)]).toEqual([code, true]);
  }
});

test('a statement that waited in vain for a connection certainly did not run', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const { db, close } = createDatabase({
    url: `postgres://127.0.0.1:${port}/none`,
    poolSize: 1,
    timeoutMs: 200,
    applicationName: 'test',
  });
  const read = () => failure(readEntry(db, 'document', { collection: 'carts', key: 'a' }));
  // The one connection is never established, and the second statement waits for it.
  const errors = await Promise.all([read(), read()]);
  for (const error of errors)
    expect({ error, didNotHappen: didNotHappen(error) }).toEqual({ error, didNotHappen: true });
  await close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});
