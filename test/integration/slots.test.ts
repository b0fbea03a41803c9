import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem({ workers: 0 });
});
afterAll(() => system.stop());

test('an acknowledgement at "queued" does not wait for earlier batches to be persisted', async () => {
  await call('PUT', entryUrl(system.url, 'carts', 'warm-up'), { body: 1 });
  const started = performance.now();
  for (let i = 0; i < 5; i++) {
    const put = await call('PUT', entryUrl(system.url, 'carts', `early-${i}`), { body: i });
    expect([put.status, put.json.state]).toEqual([202, 'queued']);
  }
  // Nothing can be persisted: no worker runs. Five starts take a fraction of a second each at the very worst.
  expect(performance.now() - started).toBeLessThan(5_000);
  expect((await system.db.query('SELECT 1 FROM documents')).rows).toEqual([]);
});

test('one client writing for a minute without a worker still gets "queued" at the end: small batches do not eat the slots', async () => {
  const end = performance.now() + 60_000;
  let writes = 0;
  do {
    const put = await call('PUT', entryUrl(system.url, 'carts', `k${writes++}`), { body: writes });
    expect([put.status, put.json.state], `write ${writes}`).toEqual([202, 'queued']);
  } while (performance.now() < end);
  expect(writes).toBeGreaterThan(16);
}, 90_000);
