import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { sealBatch } from '../../storage/redis/seal.ts';
import { CARTS, cached, createWorld, epochOf, type World } from './rules-fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

test('a release that is tried again and again ends with the process that tries it', async () => {
  const part = await world.part();
  const epoch = await epochOf(part);
  await part.behind.write(CARTS, 'k', '1', cached());
  const sealed = await sealBatch(part.ctx.redis, {
    partition: 0,
    epoch,
    slots: 4,
    gatherMinMs: 0,
    gatherMaxMs: 0,
  });
  if (sealed.outcome !== 'sealed') throw new Error('nothing was sealed');
  const away = await world.part({ TEMPORAL_ADDRESS: '127.0.0.1:1', DIRECT_PERSIST_AFTER_MS: '10' });
  away.before('release', () => world.redis.kill());
  let ended = false;
  const offer = away.offers.offer(sealed.sealed).then(() => {
    ended = true;
  });
  const releases = () => away.sent.filter((script) => script === 'release').length;
  await until(() => releases() > 2, { what: 'the release to be tried again' });
  expect(ended).toBe(false);
  away.offers.stop();
  await offer;
  const tried = releases();
  await until(() => world.redis.restart().then(() => true), { what: 'Redis to be back' });
  expect(releases()).toBe(tried);
});
