import { afterEach, beforeEach, expect, test } from 'vitest';
import { CARTS, cached, createWorld, type Part, type World, within } from './rules-fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const SOON_MS = 20_000;

/** One more write of the other process before each look of the one that ends: there is always another batch. */
function keepStaging(other: Part, ending: Part): void {
  let writes = 0;
  const stageAnother = async () => {
    await other.behind.write(CARTS, `theirs ${writes++}`, '1', cached());
    if (writes < 50) ending.before('seal', stageAnother);
  };
  ending.before('seal', stageAnother);
}

test('a process that ends offers what it staged, and does not chase what others go on staging', async () => {
  const [ending, other] = [await world.part(), await world.part()];
  await ending.behind.write(CARTS, 'mine', '1', cached());
  keepStaging(other, ending);
  expect(await ending.flusher.flush(within(SOON_MS))).toBe(true);
  expect(ending.sent.filter((script) => script === 'confirm')).toHaveLength(1);
  expect(await world.raw.hget('hf:{p00}:open', 'carts/mine')).toBeNull();
});

test('a process that ends offers every batch up to its last one', async () => {
  const [ending, other] = [
    await world.part({ BATCH_MAX_ENTRIES: '1' }),
    await world.part({ BATCH_MAX_ENTRIES: '1' }),
  ];
  await other.behind.write(CARTS, 'theirs', '1', cached());
  await ending.behind.write(CARTS, 'mine', '1', cached());
  await ending.behind.write(CARTS, 'mine too', '1', cached());
  expect(await ending.flusher.flush(within(SOON_MS))).toBe(true);
  expect(await world.raw.hlen('hf:{p00}:open')).toBe(0);
  expect(await world.raw.llen('hf:{p00}:queue')).toBe(0);
  expect(ending.sent.filter((script) => script === 'confirm')).toHaveLength(3);
});

test('a process that ends leaves alone what others staged where it staged nothing', async () => {
  const [ending, other] = [await world.part(), await world.part()];
  await other.behind.write(CARTS, 'theirs', '1', cached());
  expect(await ending.flusher.flush(within(SOON_MS))).toBe(true);
  expect(ending.sent).not.toContain('seal');
  expect(await world.raw.hlen('hf:{p00}:open')).toBe(1);
});

test('a process that ends offers its last batch, also after it repeated an answer about an older one', async () => {
  const ending = await world.part({ BATCH_MAX_ENTRIES: '1' });
  const once = { ...cached(), idempotency: { key: 'k', fingerprint: 'f' } };
  await ending.behind.write(CARTS, 'older', '1', once);
  await ending.behind.write(CARTS, 'newer', '1', cached());
  expect(await ending.behind.write(CARTS, 'older', '1', once)).toMatchObject({ replayed: true });
  expect(await ending.flusher.flush(within(SOON_MS))).toBe(true);
  expect(ending.sent.filter((script) => script === 'confirm')).toHaveLength(2);
  expect(await world.raw.llen('hf:{p00}:queue')).toBe(0);
});

test('a process that ends after Redis was restarted offers what survived, and chases nothing either', async () => {
  const [ending, other] = [await world.part({ BATCH_MAX_ENTRIES: '1' }), await world.part()];
  await ending.behind.write(CARTS, 'mine', '1', cached());
  await ending.behind.write(CARTS, 'mine too', '1', cached());
  await world.restartWithData();
  keepStaging(other, ending);
  expect(await ending.flusher.flush(within(SOON_MS))).toBe(true);
  expect(ending.sent.filter((script) => script === 'confirm')).toHaveLength(2);
  expect(await world.raw.llen('hf:{p00}:queue')).toBe(0);
});
