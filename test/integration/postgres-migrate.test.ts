import { createServer } from 'node:net';
import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { SettingsError } from '../../config/problem.ts';
import { createDatabase as openDatabase } from '../../storage/postgres/database.ts';
import { readFence } from '../../storage/postgres/fence.ts';
import { migrateToLatest } from '../../storage/postgres/migrate.ts';
import { runMigrate } from '../../storage/postgres/migrate-command.ts';
import { recordTopology } from '../../storage/postgres/topology.ts';
import { createDatabase, uniqueName } from '../support/services.ts';

const MIGRATIONS = [
  '0001-entries',
  '0002-decisions',
  '0003-tombstones',
  '0004-idempotency',
  '0005-operators',
  '0006-discarded',
  '0007-one-by-one',
  '0008-topology-epochs',
  '0009-installation',
  '0010-raised',
];
const APPLIED = MIGRATIONS.map((name) => `applied ${name}`);

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function emptyDatabase() {
  const database = await createDatabase();
  cleanups.push(() => database.drop());
  return database;
}

function open(url: string) {
  const handle = openDatabase({ url, poolSize: 4, timeoutMs: 30_000, applicationName: 'holdfast-test' });
  cleanups.push(() => handle.close());
  return handle.db;
}

async function migrate(url: string) {
  const lines: string[] = [];
  const errors: string[] = [];
  const code = await runMigrate({
    env: { DATABASE_URL: url },
    print: (line) => lines.push(line),
    printError: (line) => errors.push(line),
  });
  return { code, lines, errors };
}

function changed(url: string, change: (url: URL) => void): string {
  const copy = new URL(url);
  change(copy);
  return copy.href;
}

test('concurrent migrations apply each step once, and a later one finds nothing to do', async () => {
  const { url } = await emptyDatabase();
  const runs = await Promise.all([1, 2, 3, 4].map(() => migrateToLatest(open(url))));
  expect(runs.flat()).toEqual(MIGRATIONS);
  expect(await migrateToLatest(open(url))).toEqual([]);
});

test('the command prints a line per migration, then "up to date"', async () => {
  const { url } = await emptyDatabase();
  expect(await migrate(url)).toEqual({
    code: 0,
    lines: APPLIED,
    errors: [],
  });
  expect(await migrate(url)).toEqual({ code: 0, lines: ['up to date'], errors: [] });
});

test('an older version leaves the tables of a newer one as they are, and says so', async () => {
  const { url } = await emptyDatabase();
  const db = open(url);
  await migrateToLatest(db);
  await sql`INSERT INTO kysely_migration (name, timestamp) VALUES ('9998-later', 'now'), ('9999-last', 'now')`.execute(
    db,
  );
  expect(await migrateToLatest(db)).toEqual([]);
  const line = 'the tables are of a newer version (9998-later, 9999-last): nothing to do';
  expect(await migrate(url)).toEqual({ code: 0, lines: [line], errors: [] });
});

test('what is no newer version is no reason to go on: a strange migration between ours, or one of ours that is missing', async () => {
  for (const spoil of [
    sql`UPDATE kysely_migration SET name = '0003-strange' WHERE name = '0003-tombstones'`,
    sql`INSERT INTO kysely_migration (name, timestamp) VALUES ('0004-a-strange-one', 'now')`,
    sql`DELETE FROM kysely_migration WHERE name = '0008-topology-epochs'`,
  ]) {
    const { url } = await emptyDatabase();
    const db = open(url);
    await migrateToLatest(db);
    await sql`INSERT INTO kysely_migration (name, timestamp) VALUES ('9999-later', 'now')`.execute(db);
    await spoil.execute(db);
    const { code, lines, errors } = await migrate(url);
    expect({ code, lines }).toEqual({ code: 1, lines: [] });
    expect(errors.join()).toContain('nothing was changed');
  }
});

test('the command makes a database that does not exist, in UTF-8', async () => {
  const { url } = await emptyDatabase();
  const name = uniqueName('made-here');
  const missing = changed(url, (u) => {
    u.pathname = `/${name}`;
  });
  const admin = open(url);
  cleanups.push(async () => {
    await sql`DROP DATABASE ${sql.id(name)} WITH (FORCE)`.execute(admin);
  });
  expect(await migrate(missing)).toEqual({
    code: 0,
    lines: [`created the database "${name}"`, ...APPLIED],
    errors: [],
  });
});

test('where the user may not make the database the command says how', async () => {
  const { url } = await emptyDatabase();
  const role = uniqueName('plain');
  const admin = open(url);
  await sql`CREATE ROLE ${sql.id(role)} LOGIN PASSWORD 'pw-of-plain'`.execute(admin);
  cleanups.push(async () => {
    await sql`DROP ROLE ${sql.id(role)}`.execute(admin);
  });
  const plain = changed(url, (u) => {
    u.username = role;
    u.password = 'pw-of-plain';
    u.pathname = '/not-there';
  });
  const { code, lines, errors } = await migrate(plain);
  expect({ code, lines }).toEqual({ code: 1, lines: [] });
  expect(errors.join()).toMatch(/"not-there" does not exist and could not be created: permission denied/);
  expect(errors.join()).toContain(`CREATE DATABASE "not-there" OWNER "${role}"`);
  expect(errors.join()).not.toContain('pw-of-plain');

  const noTables = changed(plain, (u) => {
    u.pathname = new URL(url).pathname;
  });
  const refused = await migrate(noTables);
  expect(refused.code).toBe(1);
  expect(refused.errors.join()).toMatch(/may not create tables/);
});

test('an unreachable server and bad settings are one clear line each', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  const { code, errors } = await migrate(`postgres://me:pw-of-me@127.0.0.1:${port}/holdfast`);
  expect(code).toBe(1);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(new RegExp(`cannot reach PostgreSQL at 127.0.0.1:${port}: .*ECONNREFUSED`));
  expect(errors[0]).not.toMatch(/pw-of-me|\n/);

  const settings = await migrate('mysql://127.0.0.1/holdfast');
  expect(settings.code).toBe(1);
  expect(settings.errors[0]).toMatch(/DATABASE_URL: must be a URL/);
});

test('a database in another encoding is refused', async () => {
  const { url } = await emptyDatabase();
  const name = uniqueName('latin');
  const admin = open(url);
  await sql`CREATE DATABASE ${sql.id(name)} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`.execute(
    admin,
  );
  cleanups.push(async () => {
    await sql`DROP DATABASE ${sql.id(name)} WITH (FORCE)`.execute(admin);
  });
  const { code, errors } = await migrate(
    changed(url, (u) => {
      u.pathname = `/${name}`;
    }),
  );
  expect(code).toBe(1);
  expect(errors.join()).toMatch(/encoded in LATIN1; Holdfast needs/);
});

test('the topology is recorded once; other numbers are refused with both values and the way to change them', async () => {
  const { url } = await emptyDatabase();
  const db = open(url);
  await migrateToLatest(db);
  await Promise.all(
    [1, 2, 3].map(() => recordTopology(db, { partitions: 3, slots: 8, namespace: 'default' })),
  );
  await recordTopology(db, { partitions: 3, slots: 8, namespace: 'default' });
  for (const partition of [0, 1, 2])
    expect(await readFence(db, partition)).toEqual({ epoch: '0-0', clock: 0 });

  const error: unknown = await recordTopology(db, { partitions: 5, slots: 9, namespace: 'default' }).catch(
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(SettingsError);
  expect((error as SettingsError).problems).toEqual([
    expect.stringMatching(/PARTITIONS is 5, .*PARTITIONS=3.*stop all writers, wait until nothing is pending/),
    expect.stringMatching(/SLOTS is 9, .*SLOTS=8/),
  ]);
  await expect(readFence(db, 4)).rejects.toThrow();
});

test('after a drain the topology may be changed, and no clock starts behind an entry', async () => {
  const { url } = await emptyDatabase();
  const db = open(url);
  await migrateToLatest(db);
  await recordTopology(db, { partitions: 2, slots: 8, namespace: 'default' });
  await sql`UPDATE partition_clocks SET clock = 5000 WHERE partition = 1`.execute(db);
  await sql`DELETE FROM topology`.execute(db);
  await recordTopology(db, { partitions: 4, slots: 8, namespace: 'default' });
  for (const partition of [0, 1, 2, 3]) expect((await readFence(db, partition)).clock).toBe(5000);
});
