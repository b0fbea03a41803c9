import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it, vi } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { connectTemporal } from '../../storage/temporal/client.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import { isTemporalUnreachable } from '../../storage/temporal/errors.ts';
import { readPending } from '../../storage/temporal/read-pending.ts';
import { startBatch } from '../../storage/temporal/start-batch.ts';
import { startTemporal, type TemporalTestServer } from '../support/services-temporal.ts';
import { batch, SEALED_AT } from './temporal-queue.ts';

let server: TemporalTestServer | undefined;
afterAll(() => server?.stop());

it('a client made while Temporal is down says so at once, and works when Temporal is back', async () => {
  server = await startTemporal();
  await server.stop();
  const temporal = connectTemporal({ environment: readEnvironment({ TEMPORAL_ADDRESS: server.address }) });
  const run = { partition: 0, slot: 0, deadlineMs: 3_000 };
  const unreachable = async (attempt: Promise<unknown>) =>
    isTemporalUnreachable(
      await attempt.then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
  const began = performance.now();
  expect(await unreachable(describeSlot(temporal, run))).toBe(true);
  expect(await unreachable(readPending(temporal, { ...run, queryTimeoutMs: 500 }))).toBe(true);
  expect(await unreachable(startBatch(temporal, { ...run, batch: batch(1), sealedAt: SEALED_AT }))).toBe(
    true,
  );
  expect(performance.now() - began).toBeLessThan(9_000);

  await server.start();
  await vi.waitFor(
    async () =>
      expect(await startBatch(temporal, { ...run, batch: batch(1), sealedAt: SEALED_AT })).toMatchObject({
        outcome: 'started',
      }),
    { timeout: 20_000, interval: 100 },
  );
  expect(await describeSlot(temporal, run)).toMatchObject({ state: 'open', batchId: '1-abc.p00.1' });
  await temporal.close();
});

it('a namespace that does not exist counts as unreachable, never as an empty slot', async () => {
  const temporal = connectTemporal({
    environment: readEnvironment({ TEMPORAL_ADDRESS: server?.address ?? '', TEMPORAL_NAMESPACE: 'nowhere' }),
  });
  const error = await describeSlot(temporal, { partition: 0, slot: 0, deadlineMs: 5_000 }).catch(
    (e: unknown) => e,
  );
  expect(isTemporalUnreachable(error)).toBe(true);
  await temporal.close();
});

it('a client that is closed while calls wait to be repeated ends the calls, and not the process', async () => {
  const environment = readEnvironment({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
  // A call is repeated after 50 to 450 ms: whenever the client is closed, some of these wait.
  const ended = Array.from({ length: 12 }, async (_, i) => {
    const temporal = connectTemporal({ environment });
    const calls = Array.from({ length: 4 }, () =>
      describeSlot(temporal, { partition: 0, slot: 0, deadlineMs: 5_000 }).catch((error: unknown) => error),
    );
    await sleep(i * 25);
    // The clock that timers go by stands still meanwhile: nothing may depend on which of them comes first.
    const busyUntil = performance.now() + 40;
    while (performance.now() < busyUntil);
    await temporal.close();
    return await Promise.all(calls);
  });
  expect((await Promise.all(ended)).flat().every(isTemporalUnreachable)).toBe(true);
});
