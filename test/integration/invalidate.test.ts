import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { holding } from './postgres-fixture.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  gate,
  ORDERS,
  type Part,
  VIEWS,
  type World,
  within,
} from './rules-fixture.ts';

let world: World;
let part: Part;
let other: Part;
beforeEach(async () => {
  world = await createWorld();
  [part, other] = [await world.part(), await world.part()];
});
afterEach(() => world.close());

const COLLECTIONS = [CARTS, ORDERS].map((collection) => [collection.mode, collection] as const);
type Documents = typeof CARTS;
const options = () => ({ deadlineAt: within(20_000) });
const read = async (of: Part, { name, ...c }: Documents, key = 'k') =>
  (await of.reader.read({ name, ...c }, key, options())).state;
const change = ({ name }: Documents, value: string, key = 'k') =>
  sql`UPDATE documents SET value = ${value}::jsonb WHERE collection = ${name} AND key = ${key}`.execute(
    part.ctx.db,
  );
const rowVersion = async ({ name, kind }: Documents, key = 'k') =>
  (
    await sql<{
      version: number;
    }>`SELECT version FROM ${sql.table(kind === 'counter' ? 'counters' : 'documents')}
      WHERE collection = ${name} AND key = ${key}`.execute(part.ctx.db)
  ).rows[0]?.version;

/** A document that is in its row and in the cache, and of which nothing is pending. */
async function persisted(c: Documents, value: string, key = 'k'): Promise<number> {
  const writer = c.mode === 'write-behind' ? part.behind : part.through;
  const { version } = await writer.write(c, key, value, cached());
  if (c.mode === 'write-behind') {
    await world.withWorker(async () => {
      await part.flusher.flush(within(20_000));
      while ((await world.raw.hlen('hf:{p00}:index')) > 0) await new Promise(setImmediate);
    });
  }
  return version;
}

test.each(COLLECTIONS)(
  '%s: every process sees the row as SQL left it, under a higher version',
  async (_, c) => {
    const before = await persisted(c, '"old"');
    await change(c, '"by SQL"');
    expect((await read(other, c)).value).toBe('"old"');
    const [entry] = await part.invalidate(c, ['k'], options());
    expect(entry).toMatchObject({ key: 'k', outcome: 'invalidated' });
    expect(entry?.version).toBeGreaterThan(before);
    for (const one of [part, other]) {
      expect(await read(one, c)).toMatchObject({ value: '"by SQL"', version: entry?.version });
    }
    expect(await rowVersion(c)).toBe(entry?.version);
    // And once more: the version rises each time, and later writes lie above it.
    const [again] = await other.invalidate(c, ['k', 'k'], options());
    expect(again?.version).toBeGreaterThan(entry?.version ?? 0);
    const later = await (c.mode === 'write-behind' ? part.behind : part.through).write(c, 'k', '"new"', {
      ...cached(),
      condition: { ifVersion: again?.version ?? 0 },
    });
    expect(later.version).toBeGreaterThan(again?.version ?? 0);
  },
);

test.each(COLLECTIONS)('%s: a fill under way cannot put the old value back', async (_, c) => {
  await persisted(c, '"old"');
  await world.raw.hset('hf:{p00}:state', 'fills_from', '0');
  await world.raw.del(`hf:{p00}:e:${c.name}/k`);
  const [filling, goOn] = [gate(), gate()];
  other.before('fill', async () => {
    filling.open();
    await goOn.opened;
  });
  const slow = read(other, c);
  await filling.opened;
  await change(c, '"by SQL"');
  const [entry] = await part.invalidate(c, ['k'], options());
  goOn.open();
  expect((await slow).value).toBe('"old"');
  for (const one of [part, other]) {
    expect(await read(one, c)).toMatchObject({ value: '"by SQL"', version: entry?.version });
  }
});

test.each(COLLECTIONS)(
  '%s: a reader in the middle of it cannot cache the row under its old version',
  async (_, c) => {
    await persisted(c, '"old"');
    await change(c, '"by SQL"');
    const script = 'unblock';
    const [unblocking, goOn] = [gate(), gate()];
    part.before(script, async () => {
      unblocking.open();
      await goOn.opened;
    });
    const done = part.invalidate(c, ['k'], options());
    await unblocking.opened;
    const during = await other.reader.read(c, 'k', options());
    expect(during).toMatchObject({ stored: false, state: { value: '"by SQL"' } });
    goOn.open();
    const [entry] = await done;
    expect(await read(other, c)).toMatchObject({ version: entry?.version });
  },
);

test('a pending write stays newer than the row, and is persisted after all', async () => {
  await persisted(CARTS, '"old"');
  const pending = await part.behind.write(CARTS, 'k', '"accepted"', cached());
  await part.flusher.flush(within(20_000));
  await change(CARTS, '"by SQL"');
  const before = await rowVersion(CARTS);
  expect(await part.invalidate(CARTS, ['k'], options())).toEqual([
    { key: 'k', outcome: 'pending', version: pending.version },
  ]);
  expect(await rowVersion(CARTS)).toBe(before);
  expect((await read(other, CARTS)).value).toBe('"accepted"');
  await world.withWorker(async () => {
    while ((await world.raw.hlen('hf:{p00}:index')) > 0) await new Promise(setImmediate);
  });
  expect(await rowVersion(CARTS)).toBe(pending.version);
});

test('a write that is staged while it runs is newer than the raised row', async () => {
  await persisted(CARTS, '"old"');
  await change(CARTS, '"by SQL"');
  let staged = 0;
  part.after('inspect', async () => {
    staged = (await other.behind.write(CARTS, 'k', '"meanwhile"', cached())).version;
  });
  const [entry] = await part.invalidate(CARTS, ['k'], options());
  expect(entry).toMatchObject({ outcome: 'invalidated' });
  expect(staged).toBeGreaterThan(entry?.version ?? 0);
  expect((await read(part, CARTS)).value).toBe('"meanwhile"');
});

test('a batch that is in its row already, but not yet released, does not keep the row from being raised', async () => {
  await part.behind.write(CARTS, 'k', '"old"', cached());
  const { version } = await read(part, CARTS);
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'k', ${version}, '"by SQL"', false)`.execute(part.ctx.db);
  const [entry] = await part.invalidate(CARTS, ['k'], options());
  expect(entry).toMatchObject({ outcome: 'invalidated' });
  expect(await read(other, CARTS)).toMatchObject({ value: '"by SQL"', version: entry?.version });
});

test('what such a batch holds is not answered for the newest while PostgreSQL is away', async () => {
  const away = await world.part({
    DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
    POSTGRES_TIMEOUT_MS: '500',
  });
  await part.behind.write(CARTS, 'k', '"old"', cached());
  const { version } = await read(part, CARTS);
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'k', ${version}, '"by SQL"', false)`.execute(part.ctx.db);
  await part.invalidate(CARTS, ['k'], options());
  await expect(read(away, CARTS)).rejects.toMatchObject({ code: 'dependency-unavailable' });
  // The batch is open still: a later write of the entry goes into it, and is found.
  const next = await part.behind.write(CARTS, 'k', '"next"', cached());
  await world.raw.del('hf:{p00}:e:carts/k');
  expect(await read(away, CARTS)).toMatchObject({ value: '"next"', version: next.version });
});

test('where the row cannot be read nobody is told that a pending write is newer: nothing was done, nothing stays blocked', async () => {
  await persisted(CARTS, '"old"', 'settled');
  await part.behind.write(CARTS, 'k', '"staged"', cached());
  await change(CARTS, '"by SQL"', 'settled');
  const before = await rowVersion(CARTS, 'settled');
  const { readRecord } = part.ctx;
  Object.assign(part.ctx, {
    readRecord: async (...[kind, ref]: Parameters<typeof readRecord>) => {
      if (ref.key !== 'k') return await readRecord(kind, ref);
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    },
  });
  await expect(part.invalidate(CARTS, ['k', 'settled'], options())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'postgres' },
  });
  expect(await rowVersion(CARTS, 'settled')).toBe(before);
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(0);
  // A read is answered all the same.
  await world.raw.del('hf:{p00}:e:carts/k');
  expect((await read(part, CARTS)).value).toBe('"staged"');
});

test('where the new versions are in doubt, what is only pending is not blocked; the other no longer than that lasts', async () => {
  await persisted(CARTS, '"old"', 'settled');
  await part.behind.write(CARTS, 'k', '"pending"', cached());
  const release = await holding(part.ctx.db, sql`SELECT FROM documents WHERE key = 'settled' FOR UPDATE`);
  await expect(part.invalidate(CARTS, ['k', 'settled'], { deadlineAt: within(1_000) })).rejects.toMatchObject(
    { code: 'outcome-unknown' },
  );
  const blocked = await world.raw.hkeys('hf:{p00}:blocks');
  await release();
  expect(blocked).toEqual(['carts/settled']);
  await until(async () => (await world.raw.hlen('hf:{p00}:blocks')) === 0, { what: 'the end of the block' });
});

test('increments count on from what SQL set', async () => {
  await epochOf(part);
  await sql`INSERT INTO counters (collection, key, version, value, deleted)
    VALUES ('page-views', 'k', 2, 5, false)`.execute(part.ctx.db);
  expect((await part.reader.read(VIEWS, 'k', options())).state.value).toBe('5');
  await sql`UPDATE counters SET value = 100`.execute(part.ctx.db);
  const [, sum] = await Promise.all([
    part.invalidate(VIEWS, ['k'], options()),
    (async () => {
      const invalidated = new Promise<void>((resolve) => part.after('unblock', resolve));
      await invalidated;
      return await other.behind.increment(VIEWS, 'k', 1, cached());
    })(),
  ]);
  expect(sum.value).toBe(101);
});

test('a row that SQL deleted is absent, its copy is gone, and no row is made for it', async () => {
  await persisted(ORDERS, '"old"');
  await sql`DELETE FROM documents`.execute(part.ctx.db);
  expect(await part.invalidate(ORDERS, ['k', 'never'], options())).toEqual([
    { key: 'k', outcome: 'absent', version: null },
    { key: 'never', outcome: 'absent', version: null },
  ]);
  expect((await read(other, ORDERS)).value).toBeNull();
  expect(await rowVersion(ORDERS)).toBeUndefined();
});

test('a row of a clock that is ahead is raised all the same, and so is the clock of Redis', async () => {
  await epochOf(part);
  const ahead = (Date.now() + 60_000) * 1_000;
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('orders', 'k', ${ahead}, '"by SQL"', false)`.execute(part.ctx.db);
  const [entry] = await part.invalidate(ORDERS, ['k'], options());
  expect(entry?.version).toBeGreaterThan(ahead);
  expect(await rowVersion(ORDERS)).toBe(entry?.version);
  const { rows } = await sql<{ clock: number }>`SELECT clock FROM partition_clocks`.execute(part.ctx.db);
  expect(rows[0]?.clock).toBeGreaterThanOrEqual(entry?.version ?? 0);
});

test('without Redis it is refused, and with it nothing stays blocked', async () => {
  await persisted(ORDERS, '"old"');
  await part.invalidate(ORDERS, ['k'], options());
  expect(await world.raw.hlen('hf:{p00}:blocks')).toBe(0);
  await world.redis.kill();
  await expect(part.invalidate(ORDERS, ['k'], options())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'redis' },
  });
});
