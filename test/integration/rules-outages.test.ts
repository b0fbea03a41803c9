import { afterEach, beforeEach, expect, test } from 'vitest';
import { CARTS, createWorld, type Part, VIEWS, type World, within } from './rules-fixture.ts';

// What the table of docs/consistency.md says of collections written behind.

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const NOWHERE = { DATABASE_URL: 'postgres://127.0.0.1:1/nowhere', TEMPORAL_ADDRESS: '127.0.0.1:1' } as const;
const options = (ms = 5_000) => ({ deadlineAt: within(ms), durability: 'cached' as const });

/** What the writes of an entry that need its value come to: `staged`, or the code of the error. */
async function outcomes({ behind, patch }: Part, key: string, ms?: number): Promise<string[]> {
  const condition = { ifVersion: 2 };
  const writes = [
    () => behind.increment(VIEWS, key, 1, options(ms)),
    () => behind.write(CARTS, key, '{}', { ...options(ms), condition }),
    () => behind.write(CARTS, key, '{}', { ...options(ms), condition: { ifAbsent: true } }),
    () => patch(CARTS, key, '{"a": 1}', options(ms)),
  ];
  const results: string[] = [];
  for (const write of writes) {
    results.push(
      await write().then(
        () => 'staged',
        (error) => error.code,
      ),
    );
  }
  return results;
}

const DECIDED = ['staged', 'precondition-failed', 'precondition-failed', 'staged'];
const REFUSED = Array(4).fill('dependency-unavailable');

/** Both entries of that key, cached and pending, from a process for which nothing is away. */
async function written(key: string): Promise<Part> {
  const part = await world.part();
  await part.behind.increment(VIEWS, key, 1, options());
  await part.behind.write(CARTS, key, '{}', options());
  return part;
}

const evict = (key: string) => world.raw.del(`hf:{p00}:e:carts/${key}`, `hf:{p00}:e:page-views/${key}`);

test.each([
  ['PostgreSQL', ['DATABASE_URL']],
  ['PostgreSQL and Temporal', ['DATABASE_URL', 'TEMPORAL_ADDRESS']],
] as const)('without %s those writes are refused that must look there, and no others', async (_, names) => {
  await written('k');
  const part = await world.part(Object.fromEntries(names.map((name) => [name, NOWHERE[name]])));
  expect((await part.behind.write(CARTS, 'new', '{}', options())).state).toBe('cached');
  expect((await part.behind.write(CARTS, 'new', null, options())).state).toBe('cached');
  expect(await outcomes(part, 'k')).toEqual(DECIDED);
  expect(await outcomes(part, 'unknown')).toEqual(REFUSED);
  const idempotency = { key: 'k1', fingerprint: 'f' };
  await expect(part.behind.write(CARTS, 'k', '{}', { ...options(), idempotency })).rejects.toMatchObject({
    code: 'dependency-unavailable',
  });
  // What waits can be read, but without its row it is no copy to decide on.
  await evict('k');
  expect(await outcomes(part, 'k', 500)).toEqual(Array(4).fill('deadline-exceeded'));
});

test('without Temporal those writes are refused that must look into a batch there, and no others', async () => {
  await written('k');
  // Into Temporal, where no worker takes it.
  await (await written('waits')).flusher.flush(within(20_000));
  const part = await world.part({ TEMPORAL_ADDRESS: NOWHERE.TEMPORAL_ADDRESS });
  expect(await outcomes(part, 'k')).toEqual(DECIDED);
  expect((await part.behind.write(CARTS, 'new', '{}', options())).state).toBe('cached');
  const idempotency = { key: 'k1', fingerprint: 'f' };
  expect((await part.behind.write(CARTS, 'k', '{}', { ...options(), idempotency })).state).toBe('cached');
  expect(await outcomes(part, 'unknown')).toEqual(['staged', 'precondition-failed', 'staged', 'staged']);
  await evict('waits');
  expect(await outcomes(part, 'waits')).toEqual(REFUSED);
});
