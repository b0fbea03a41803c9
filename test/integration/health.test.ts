import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHealth } from '../../service/health.ts';
import { createWorld, type Part, type World } from './rules-fixture.ts';

/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

/** What each part that is down means, by its name. */
async function impacts({ ctx }: Part): Promise<Record<string, string>> {
  const found = await createHealth(ctx, { problem: () => undefined })();
  return Object.fromEntries(found.filter(({ ok }) => !ok).map((one) => [one.dependency, one.impact]));
}

test('with PostgreSQL and Temporal down, nobody is told that writes are queued or persisted', async () => {
  const part = await world.part({
    DATABASE_URL: `postgres://nobody@${NOWHERE}/none`,
    TEMPORAL_ADDRESS: NOWHERE,
  });
  const { postgres, temporal, workers } = await impacts(part);
  expect(temporal).toMatch(/^Without PostgreSQL and Temporal, .*stay in Redis/);
  expect(postgres).toBe(temporal);
  expect(workers).toMatch(/not known/);
});

test('with Redis and PostgreSQL down, nobody is told that documents go straight to PostgreSQL', async () => {
  const part = await world.part({ DATABASE_URL: `postgres://nobody@${NOWHERE}/none` });
  await world.redis.stop();
  const { redis, postgres } = await impacts(part);
  expect(redis).toBe('Without Redis and PostgreSQL, all reads and writes are refused.');
  expect(postgres).toBe(redis);
});
