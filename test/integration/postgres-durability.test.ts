import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { query } from '../../dev/services/postgres.ts';
import { createDatabase as openDatabase } from '../../storage/postgres/database.ts';
import { syncsToDisk } from '../../storage/postgres/fsync.ts';
import { createDatabase, services } from '../support/services.ts';
import { startPostgres } from '../support/services-postgres.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function open(url: string) {
  const handle = openDatabase({ url, poolSize: 2, timeoutMs: 10_000, applicationName: 'test' });
  closers.push(() => handle.close());
  return handle.db;
}

test.each([
  ['off', 'on'],
  ['local', 'local'],
  ['remote_write', 'remote_write'],
  ['on', 'on'],
  ['remote_apply', 'remote_apply'],
])('where the database asks for synchronous_commit=%s, every session has %s', async (asked, used) => {
  const database = await createDatabase();
  closers.push(() => database.drop());
  const name = new URL(database.url).pathname.slice(1);
  await query(services().databaseUrl, `ALTER DATABASE "${name}" SET synchronous_commit = ${asked}`);
  const db = open(database.url);
  const settingOf = async () => {
    const { rows } = await sql<{ pid: number; setting: string }>`
      SELECT pg_backend_pid() AS pid, current_setting('synchronous_commit') AS setting, pg_sleep(0.2)`.execute(
      db,
    );
    return rows[0];
  };
  const [one, other] = await Promise.all([settingOf(), settingOf()]);
  expect(one?.pid).not.toBe(other?.pid);
  expect([one?.setting, other?.setting]).toEqual([used, used]);
});

test('a server that does not sync to disk is recognised', async () => {
  expect(await syncsToDisk(open(services().databaseUrl))).toBe(false);
  const durable = await startPostgres({ durable: true });
  closers.push(() => durable.stop());
  expect(await syncsToDisk(open(durable.url))).toBe(true);
});
