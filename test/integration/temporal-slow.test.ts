import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { services } from '../support/services.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { CARTS, cached, createWorld, epochOf, type Part, type World } from './rules-fixture.ts';
import { sealOnly } from './rules-steps.ts';

let world: World;
let proxy: TcpProxy;
beforeEach(async () => {
  world = await createWorld({ slots: 30 });
  proxy = await startTcpProxy({ port: Number(new URL(`http://${services().temporalAddress}`).port) });
});
afterEach(async () => {
  await world.close();
  await proxy.close();
});

const isQueued = async (id: string) =>
  / [0-9a-f-]{36} /.test((await world.raw.hget('hf:{p00}:sent', id)) ?? '');

/** One more batch, carried as far as it goes. */
async function offerOne(part: Part, key: string): Promise<string> {
  await part.behind.write(CARTS, key, '1', cached());
  const sealed = await sealOnly(part);
  await part.offers.offer(sealed);
  return sealed.batch.id;
}

test('after an outage a process returns to a Temporal whose starts take longer than its first probe', async () => {
  const part = await world.part({
    TEMPORAL_ADDRESS: `${proxy.host}:${proxy.port}`,
    DIRECT_PERSIST_AFTER_MS: '10',
  });
  await epochOf(part);
  proxy.refuse(true);
  await offerOne(part, 'meanwhile');
  const { rows } = await sql<{ key: string }>`SELECT key FROM documents`.execute(part.ctx.db);
  expect(rows).toEqual([{ key: 'meanwhile' }]);
  proxy.refuse(false);
  // Both ways: a start takes longer than half a second, and far less than TEMPORAL_TIMEOUT_MS.
  proxy.delay(350);
  let n = 0;
  await until(async () => await isQueued(await offerOne(part, `k${n++}`)), {
    what: 'a batch that is queued in Temporal',
    timeoutMs: 30_000,
  });
  // And stays with it.
  expect(await isQueued(await offerOne(part, 'afterwards'))).toBe(true);
});
