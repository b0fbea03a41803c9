import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import {
  CARTS,
  cached,
  createWorld,
  epochOf,
  gate,
  ORDERS,
  type Part,
  type World,
  within,
} from './rules-fixture.ts';

let world: World;
let part: Part;
let other: Part;
beforeAll(async () => {
  world = await createWorld();
  [part, other] = [await world.part(), await world.part()];
});
afterAll(() => world.close());

const COLLECTIONS = [CARTS, ORDERS];
const MODES = COLLECTIONS.map((collection) => [collection.mode, collection] as const);
const writer = (of: Part, { mode }: typeof CARTS) => (mode === 'write-behind' ? of.behind : of.through);
const kept = async (collection: typeof CARTS, key: string) =>
  (await part.reader.read(collection, key, cached())).state.value;
const evict = (collection: typeof CARTS, key: string) =>
  world.raw.del(`hf:{p00}:e:${collection.name}/${key}`);

test.each(MODES)(
  '%s: a patch merges into what is cached, and into what only the queue or the row has',
  async (_, c) => {
    await writer(part, c).write(c, 'k', '{"id": 9007199254740993, "a": 1}', cached());
    const first = await part.patch(c, 'k', '{"b":12345678901234567890}', cached());
    expect(await kept(c, 'k')).toBe('{"id": 9007199254740993, "a": 1,"b":12345678901234567890}');
    await evict(c, 'k');
    const second = await part.patch(c, 'k', '{"a":null}', cached());
    expect(second.version).toBeGreaterThan(first.version);
    // From a row it comes as `jsonb` prints it.
    const last = await kept(c, 'k');
    expect(last).toMatch(/"id": ?9007199254740993\b/);
    expect(last).toMatch(/"b": ?12345678901234567890\b/);
    expect(last).not.toContain('"a"');
  },
);

test.each(MODES)('%s: patches of different members at once all survive', async (_, c) => {
  await writer(part, c).write(c, 'race', '{}', cached());
  const names = Array.from({ length: 12 }, (_, i) => `m${i}`);
  await Promise.all(
    names.map((name, i) => [part, other][i % 2]!.patch(c, 'race', `{"${name}":${i}}`, cached())),
  );
  expect(JSON.parse((await kept(c, 'race')) ?? '')).toEqual(
    Object.fromEntries(names.map((name, i) => [name, i])),
  );
});

test.each(MODES)('%s: with the condition of the client a lost race is precondition-failed', async (_, c) => {
  const { version } = await writer(part, c).write(c, 'mine', '{"n":1}', cached());
  const [reading, goOn] = [gate(), gate()];
  part.before(c.mode === 'write-behind' ? 'stage' : 'void', async () => {
    reading.open();
    await goOn.opened;
  });
  const patch = part.patch(c, 'mine', '{"n":2}', { ...cached(), condition: { ifVersion: version } });
  await reading.opened;
  const faster = await other.patch(c, 'mine', '{"m":1}', cached());
  goOn.open();
  await expect(patch).rejects.toMatchObject({
    code: 'precondition-failed',
    details: { currentVersion: faster.version },
  });
  expect(JSON.parse((await kept(c, 'mine')) ?? '')).toEqual({ n: 1, m: 1 });
  await expect(
    part.patch(c, 'mine', '{}', { ...cached(), condition: { ifVersion: version } }),
  ).rejects.toMatchObject({ code: 'precondition-failed', details: { currentVersion: faster.version } });
});

test.each(MODES)('%s: what is absent or deleted cannot be patched', async (_, c) => {
  await expect(part.patch(c, 'never', '{}', cached())).rejects.toMatchObject({ code: 'entry-not-found' });
  await writer(part, c).write(c, 'gone', '{}', cached());
  await writer(part, c).write(c, 'gone', null, cached());
  await expect(part.patch(c, 'gone', '{}', cached())).rejects.toMatchObject({ code: 'entry-not-found' });
});

test.each(MODES)('%s: a result that is too large is refused and changes nothing', async (_, c) => {
  await writer(part, c).write(c, 'big', JSON.stringify({ a: 'x'.repeat(100_000) }), cached());
  const patch = JSON.stringify({ b: 'é'.repeat(20_000) });
  await expect(part.patch(c, 'big', patch, cached())).rejects.toMatchObject({ code: 'value-too-large' });
  expect(JSON.parse((await kept(c, 'big')) ?? '').b).toBeUndefined();
});

test('what only SQL can have put into a row is left alone where it could not be stored again', async () => {
  await epochOf(part);
  await sql`INSERT INTO documents (collection, key, version, value, deleted)
    VALUES ('orders', 'odd', 2, ${`{"n": ${'9'.repeat(300)}}`}::jsonb, false)`.execute(part.ctx.db);
  await expect(part.patch(ORDERS, 'odd', '{"a":1}', cached())).rejects.toMatchObject({
    code: 'invalid-request',
    details: { errors: [{ path: '/n' }] },
  });
});

test('a patch that always loses ends with its deadline and has changed nothing', async () => {
  await part.behind.write(CARTS, 'busy', '{}', cached());
  const sabotage = () =>
    part.before('stage', async () => {
      await other.behind.write(CARTS, 'busy', '{}', cached());
      sabotage();
    });
  sabotage();
  const patch = part.patch(CARTS, 'busy', '{"a":1}', { ...cached(), deadlineAt: within(300) });
  await expect(patch).rejects.toMatchObject({ code: 'deadline-exceeded' });
  part.before('stage', () => {});
  expect(await kept(CARTS, 'busy')).toBe('{}');
});

test('without Redis: write-through in the statement, write-behind not at all (rule 18)', async () => {
  for (const c of COLLECTIONS) await writer(part, c).write(c, 'cut', '{"a":1}', cached());
  const proxy = await startTcpProxy({ port: world.redis.port });
  const cut = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
  await proxy.close();
  await expect(cut.patch(CARTS, 'cut', '{"b":2}', cached())).rejects.toMatchObject({
    code: 'dependency-unavailable',
    details: { dependency: 'redis' },
  });
  expect((await cut.patch(ORDERS, 'cut', '{"b":2}', cached())).state).toBe('persisted');
  const { rows } = await sql<{ value: unknown }>`
    SELECT value FROM documents WHERE collection = 'orders' AND key = 'cut'`.execute(part.ctx.db);
  expect(rows).toEqual([{ value: { a: 1, b: 2 } }]);
});
