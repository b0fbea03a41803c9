import { randomUUID } from 'node:crypto';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { InvalidateInput } from '../../activities/create-activities.ts';
import { REPAIR_CACHE_WORKFLOW } from '../../config/temporal-names.ts';
import type { CacheRepairInput } from '../../workflows/messages.ts';
import type { repairCache } from '../../workflows/repair-cache.ts';
import { createHarness, type Harness, workflowBundle } from './harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await createHarness();
});
afterAll(() => harness.close());

const entries = [{ collection: 'carts', key: 'a', version: 3 }];
const hour = 3_600_000;

interface Told {
  /** Milliseconds since the workflow was started. */
  readonly at: number;
  readonly input: InvalidateInput;
}

/** Runs a repair to its end, after a request to cancel it; answers each try to tell Redis, of which the first `failures` fail. */
async function repaired(
  times: (now: number) => Omit<CacheRepairInput, 'format' | 'partition' | 'entries'>,
  failures: number,
): Promise<Told[]> {
  const { client, nativeConnection } = harness.environment;
  const taskQueue = `test-${randomUUID()}`;
  const began = await harness.environment.currentTimeMs();
  const calls: Told[] = [];
  const worker = await Worker.create({
    connection: nativeConnection,
    taskQueue,
    workflowBundle: await workflowBundle(),
    activities: {
      async invalidateEntries(input: InvalidateInput) {
        calls.push({ at: (await harness.environment.currentTimeMs()) - began, input });
        if (calls.length <= failures) throw new Error('Redis is not connected');
      },
    },
  });
  await worker.runUntil(async () => {
    const handle = await client.workflow.start<typeof repairCache>(REPAIR_CACHE_WORKFLOW, {
      taskQueue,
      workflowId: taskQueue,
      args: [{ format: 1, partition: 0, entries, ...times(began) }],
    });
    await handle.cancel();
    await handle.result();
  });
  return calls;
}

it.each([
  ['has passed', -hour],
  ['is far away', 100 * hour],
])(
  'tells Redis when the commits are decided and once more, by its own timers: by the clock of who ordered it the time %s',
  async (_how, ahead) => {
    const told = await repaired(
      (now) => ({ notBefore: now + ahead, delayMs: hour, againMs: 2 * hour, installation: 'abcdef01' }),
      0,
    );
    expect(told.map(({ input }) => input)).toEqual([
      { partition: 0, entries, installation: 'abcdef01' },
      { partition: 0, entries, installation: 'abcdef01' },
    ]);
    const [first = 0, second = 0] = told.map(({ at }) => at);
    expect(first).toBeGreaterThanOrEqual(hour);
    expect(first).toBeLessThan(1.5 * hour);
    expect(second).toBeGreaterThanOrEqual(first + 2 * hour);
    expect(second).toBeLessThan(first + 2.5 * hour);
  },
);

it('does not give up however long Redis stays away, and tries more and more seldom', async () => {
  const told = await repaired((now) => ({ notBefore: now, delayMs: 0, againMs: hour }), 50);
  expect(told).toHaveLength(52);
  const waits = told.slice(1, 51).map(({ at }, i) => at - (told[i]?.at ?? 0));
  expect(waits[0]).toBeLessThan(5_000);
  // 30 seconds at most, each workflow a little less.
  for (const wait of waits.slice(10)) {
    expect(wait).toBeGreaterThan(20_000);
    expect(wait).toBeLessThan(35_000);
  }
  expect((told[51]?.at ?? 0) - (told[50]?.at ?? 0)).toBeGreaterThanOrEqual(hour);
});

it('as an older version ordered it, tells Redis once, by the clock', async () => {
  const told = await repaired((now) => ({ notBefore: now + hour }), 1);
  expect(told).toHaveLength(2);
  expect(told[0]?.at).toBeGreaterThanOrEqual(hour);
});
