import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { CARTS, cached, createWorld, epochOf, type Part, type World } from './rules-fixture.ts';

let world: World;
let proxy: TcpProxy;
let part: Part;
beforeEach(async () => {
  world = await createWorld();
  proxy = await startTcpProxy({ port: world.redis.port });
  part = await world.part({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
});
afterEach(async () => {
  await world.close();
  await proxy.close();
});

const write = async (key: string) => (await part.behind.write(CARTS, key, '1', cached())).state;
const noticed = () =>
  until(
    () =>
      part.ctx.redis.ping().then(
        () => false,
        () => true,
      ),
    { what: 'the connection to be lost', everyMs: 1 },
  );

test('a connection that breaks is waited for, also where only the flusher has used Redis since an outage', async () => {
  expect(await write('before')).toBe('cached');
  proxy.refuse(true);
  await noticed();
  expect(await write('outage')).toBe('persisted');
  proxy.refuse(false);
  // What the flusher does: it runs a script, and is answered.
  await until(
    () =>
      epochOf(part).then(
        () => true,
        () => false,
      ),
    { what: 'Redis to be back' },
  );
  proxy.cut();
  await noticed();
  expect(await write('after')).toBe('cached');
});
