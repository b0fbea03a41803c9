import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { CARTS, createWorld, gate, type Part, type World, within } from './rules-fixture.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ slots: 32 });
});
afterAll(() => world?.close());

/** As long as a call to Temporal may take over a distance. */
const START_MS = 100;
const WRITERS = 20;
const ROUNDS = 8;

/** Writers who each wait for `queued` and write again at once, spread over the parts; answers how often a workflow was started. */
async function startsOf(parts: readonly Part[], name: string): Promise<number> {
  let starts = 0;
  for (const part of parts) {
    await part.behind.write(CARTS, `first-${name}`, '0', { deadlineAt: within(20_000) });
    part.temporalHook(async () => {
      starts += 1;
      await sleep(START_MS);
    });
  }
  const writing = () =>
    Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        // Two crowds: the second one begins while the start of the first is under way.
        if (writer % 2 === 1) await until(() => starts > 0, { what: 'the first start', everyMs: 5 });
        const part = parts[writer % parts.length];
        for (let round = 0; round < ROUNDS; round += 1) {
          const receipt = await part?.behind.write(CARTS, `${name}-${writer}-${round}`, '1', {
            deadlineAt: within(20_000),
          });
          expect(receipt?.state).not.toBe('cached');
        }
      }),
    );
  // Batches that nobody persisted would keep their slots, and make the next ones gather for another reason.
  await world.withWorker(writing);
  for (const part of parts) part.temporalHook(undefined);
  return starts;
}

test('writers who are answered together and write again at once share a start, and do not take turns', async () => {
  const part = await world.part({}, { alive: true });
  // In turns it would be two starts for each round.
  expect(await startsOf([part], 'one')).toBeLessThanOrEqual(ROUNDS + 4);
});

test('those of several processes do, too', async () => {
  const parts = [await world.part({}, { alive: true }), await world.part({}, { alive: true })];
  // Each for itself, it would be two starts for each round.
  expect(await startsOf(parts, 'two')).toBeLessThanOrEqual(ROUNDS + 4);
});

test('nobody waits for a process that hangs with a batch of its own: not who is alone, and not many', async () => {
  const [slow, quick] = [await world.part({}, { alive: true }), await world.part({}, { alive: true })];
  await world.withWorker(async () => {
    const write = async (part: Part, key: string) =>
      (await part.behind.write(CARTS, key, '1', { deadlineAt: within(20_000) })).state;
    for (const part of [slow, quick]) await write(part, 'ready');
    const held = gate();
    slow.temporalHook(() => held.opened);
    const waiting = write(slow, 'held');
    await until(() => slow.sent.at(-1) === 'seal', { what: 'the batch of the slow one' });
    expect(await write(quick, 'alone')).not.toBe('cached');
    const many = Array.from({ length: 5 }, (_, i) => write(quick, `many-${i}`));
    expect(new Set(await Promise.all(many)).has('cached')).toBe(false);
    held.open();
    expect(await waiting).not.toBe('cached');
  });
});
