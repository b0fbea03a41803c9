import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { connectTemporal, type Temporal } from '../../storage/temporal/client.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import { TemporalUnreachable, withDeadline } from '../../storage/temporal/errors.ts';
import { readPending } from '../../storage/temporal/read-pending.ts';
import { services } from '../support/services.ts';

const SLOT = { partition: 0, slot: 0 };
/** A call that is never answered ends long after any of these tests. */
const SOON_MS = 5_000;

const opened: { temporal?: Temporal; server?: Server; sockets: Set<Socket> } = { sockets: new Set() };
afterEach(async () => {
  await opened.temporal?.close();
  for (const socket of opened.sockets) socket.destroy();
  opened.server?.close();
  vi.restoreAllMocks();
});

const connect = (address: string) => {
  opened.temporal = connectTemporal({ environment: readEnvironment({ TEMPORAL_ADDRESS: address }) });
  return opened.temporal;
};

/** Takes connections, and says nothing. */
async function hangingServer(): Promise<string> {
  const server = createServer((socket) => {
    opened.sockets.add(socket);
    socket.on('error', () => {});
  });
  opened.server = server;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function took(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await expect(work).rejects.toThrow(TemporalUnreachable);
  return performance.now() - began;
}

it('each call ends by its own deadline, also beside others and where the server hangs', async () => {
  const temporal = connect(await hangingServer());
  const describe = (deadlineMs: number) => took(describeSlot(temporal, { ...SLOT, deadlineMs }));
  const [short, long] = await Promise.all([describe(200), describe(1_500)]);
  expect(short).toBeLessThan(1_400);
  expect(long).toBeGreaterThan(1_400);
  expect(long).toBeLessThan(SOON_MS);
});

it('several calls within one deadline share it', async () => {
  const temporal = connect(await hangingServer());
  let calls = 0;
  const shared = took(
    withDeadline(temporal, 1_500, async ({ service }) => {
      await service.describeNamespace({ namespace: 'default' }).catch(() => {
        calls += 1;
      });
      await service.describeNamespace({ namespace: 'default' });
    }),
  );
  expect(await shared).toBeLessThan(2_900);
  expect(calls).toBe(1);
});

it('a call that is repeated ends all the same', async () => {
  // Nobody listens there: every attempt is refused at once.
  const refused = took(describeSlot(connect('127.0.0.1:1'), { ...SLOT, deadlineMs: 300 }));
  expect(await refused).toBeLessThan(SOON_MS);
});

it('no call makes Node follow every promise of the process', async () => {
  const temporal = connect(services().temporalAddress);
  const run = vi.spyOn(AsyncLocalStorage.prototype, 'run');
  const request = { ...SLOT, runId: undefined, queryTimeoutMs: 5_000, deadlineMs: 10_000 };
  await expect(readPending(temporal, request)).resolves.toEqual({ state: 'none' });
  expect(run).not.toHaveBeenCalled();
});
