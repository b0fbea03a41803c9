import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Version } from '../../domain/version.ts';
import { CARTS, cached, createWorld, type Part, VIEWS, type World, within } from './rules-fixture.ts';
import { recordDiscard, sealOnly } from './rules-steps.ts';

let world: World;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  part = await world.part();
});
afterEach(() => world.close());

const read = async (collection = CARTS) => {
  await world.raw.del(`hf:{p00}:e:${collection.name}/k`);
  return await part.reader.read(collection, 'k', { deadlineAt: within(20_000) });
};
const write = async (value: string) => (await part.behind.write(CARTS, 'k', value, cached())).version;
const flush = () => part.flusher.flush(within(20_000));

const setAside = (version: Version, collection = CARTS) =>
  recordDiscard(part, { collection: collection.name, key: 'k' }, version, collection.kind);

test('rule 14: a pending write that was set aside does not count: the entry reads as its row', async () => {
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('carts', 'k', 2, '"row"', false)`.execute(part.ctx.db);
  const version = await write('"bad"');
  await flush();
  await setAside(version);
  expect((await read()).state).toEqual({ version: 2, value: '"row"' });
  expect(await part.explain(CARTS, 'k', { deadlineAt: within(20_000) })).toMatchObject({
    pending: { version, value: '"bad"' },
    setAside: [version],
    winner: 'cached',
    cached: { value: '"row"' },
  });
  await world.raw.del('hf:{p00}:e:carts/k');
  expect((await part.explain(CARTS, 'k', { deadlineAt: within(20_000) })).winner).toBe('row');
});

test('rule 14: what waits beneath a write that was set aside is found, in Redis and in every slot', async () => {
  await write('"in a slot"');
  await flush();
  const second = await write('"bad"');
  await flush();
  await setAside(second);
  expect((await read()).state.value).toBe('"in a slot"');

  // Closed for writes and not queued; the index names only the newest.
  const third = await write('"in Redis"');
  await sealOnly(part);
  const fourth = await write('"also bad"');
  await setAside(fourth);
  expect(await read()).toMatchObject({ state: { version: third, value: '"in Redis"' }, source: 'pending' });
});

test('rule 14: also where the discarded write has left the index, and where Redis has lost its memory', async () => {
  await write('"in a slot"');
  await flush();
  const bad = await write('"bad"');
  await flush();
  await setAside(bad);
  await world.raw.hdel('hf:{p00}:index', 'carts/k');
  expect((await read()).state.value).toBe('"in a slot"');
  await world.raw.flushall();
  expect((await read()).state.value).toBe('"in a slot"');
});

test('rule 14: an increment goes on from what counts, not from what was set aside', async () => {
  const add = (by: number) => part.behind.increment(VIEWS, 'k', by, cached());
  await add(3);
  await flush();
  const bad = await add(100);
  await flush();
  await setAside(bad.version, VIEWS);
  await world.raw.del('hf:{p00}:e:page-views/k');
  expect((await add(1)).value).toBe(4);
});

test('rule 21: without a row a pending write at or below the prune floor does not count', async () => {
  const version = await write('"late"');
  await flush();
  await sql`UPDATE pruning SET floor = ${version}`.execute(part.ctx.db);
  expect((await read()).state).toEqual({ version: 0, value: null });
  await sql`UPDATE pruning SET floor = ${version - 1}`.execute(part.ctx.db);
  expect((await read()).state.value).toBe('"late"');
});

test('rules 14 and 21 hold without Redis, too', async () => {
  await write('"in a slot"');
  await flush();
  const bad = await write('"bad"');
  await flush();
  await setAside(bad);
  await world.redis.stop();
  expect(await part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) })).toMatchObject({
    state: { value: '"in a slot"' },
    degraded: true,
  });
  await sql`UPDATE pruning SET floor = ${bad}`.execute(part.ctx.db);
  expect((await part.reader.read(CARTS, 'k', { deadlineAt: within(20_000) })).state.version).toBe(0);
});
