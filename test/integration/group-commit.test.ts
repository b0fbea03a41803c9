import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { CARTS, createWorld, type World, within } from './rules-fixture.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld({ slots: 32 });
});
afterAll(() => world?.close());

/** As long as a call to Temporal may take over a distance. */
const START_MS = 100;
const WRITERS = 20;
const ROUNDS = 8;

test('writers who are answered together and write again at once share a start, and do not take turns', async () => {
  const part = await world.part({}, { alive: true });
  await part.behind.write(CARTS, 'first', '0', { deadlineAt: within(20_000) });
  let starts = 0;
  part.temporalHook(async () => {
    starts += 1;
    await sleep(START_MS);
  });
  const writing = () =>
    Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        // Two crowds: the second one begins while the start of the first is under way.
        if (writer % 2 === 1) await until(() => starts > 0, { what: 'the first start', everyMs: 5 });
        for (let round = 0; round < ROUNDS; round += 1) {
          const receipt = await part.behind.write(CARTS, `${writer}-${round}`, '1', {
            deadlineAt: within(20_000),
          });
          expect(receipt.state).not.toBe('cached');
        }
      }),
    );
  // Batches that nobody persisted would keep their slots, and make the next ones gather for another reason.
  await world.withWorker(writing);
  part.temporalHook(undefined);
  // In turns it would be two starts for each round.
  expect(starts).toBeLessThanOrEqual(ROUNDS + 4);
});
