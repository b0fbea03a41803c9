import { expect, test, vi } from 'vitest';
import { GATHER_MS } from '../../config/cache-repair.ts';
import { until } from '../../dev/until.ts';
import { COMMIT_MARGIN_MS } from '../../service/block.ts';
import { createCacheRepairs } from '../../service/cache-repairs.ts';
import type { Context } from '../../service/context.ts';
import type { CacheRepairInput } from '../../workflows/messages.ts';

// PostgreSQL takes every note.
vi.mock('../../storage/postgres/written-around.ts', () => ({ noteWrittenAround: async () => {} }));

const environment = { CLOCK_TOLERANCE_MS: 100, POSTGRES_TIMEOUT_MS: 3_000, TEMPORAL_TIMEOUT_MS: 1_000 };
const installation = async () => 'abcdef01';
const entry = (key: string) => ({ collection: 'orders', key, version: 1 });

/** Repairs whose workflows are noted instead of started; `fails` may throw in the place of a start. */
function noted(fails = (_input: CacheRepairInput) => {}) {
  const started: { readonly at: number; readonly input: CacheRepairInput }[] = [];
  const start = async (_type: string, { args: [input] }: { args: [CacheRepairInput] }) => {
    fails(input);
    started.push({ at: performance.now(), input });
  };
  const temporal = {
    within: (_ms: number, work: (client: unknown) => unknown) => work({ workflow: { start } }),
  };
  return {
    started,
    repairs: createCacheRepairs({ environment, temporal, installation } as unknown as Context),
  };
}

test('an order is given at once; those of the next second go together, with those of other partitions at their own pace', async () => {
  const { started, repairs } = noted();
  const soon = Date.now() + 1_000;
  await repairs.announce(0, entry('first'), soon);
  const gathered = ['a', 'b', 'c'].map((key) => repairs.announce(0, entry(key), soon));
  await repairs.announce(1, entry('elsewhere'), soon);
  expect(started.map(({ input }) => [input.partition, input.entries.map(({ key }) => key)])).toEqual([
    [0, ['first']],
    [1, ['elsewhere']],
  ]);
  await Promise.all(gathered);
  expect(started[2]?.input.entries.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  expect((started[2]?.at ?? 0) - (started[0]?.at ?? 0)).toBeGreaterThan(GATHER_MS - 50);
  await until(() => performance.now() - (started[2]?.at ?? 0) > GATHER_MS + 100, { what: 'a quiet second' });
  await repairs.announce(0, entry('alone'), soon);
  expect(started).toHaveLength(4);
});

test('more entries than one workflow takes are several workflows, at once', async () => {
  const { started, repairs } = noted();
  await repairs.announce(0, entry('first'), Date.now());
  await Promise.all(Array.from({ length: 1_100 }, (_, i) => repairs.announce(0, entry(`k${i}`), Date.now())));
  expect(started.map(({ input }) => input.entries.length)).toEqual([1, 500, 500, 100]);
});

test('Redis is told after the last deadline, and again when a commit that had begun by then is over', async () => {
  const { started, repairs } = noted();
  const deadline = Date.now() + 5_000;
  await repairs.announce(0, entry('a'), deadline);
  const { delayMs = 0, againMs = 0, notBefore = 0 } = started[0]?.input ?? {};
  expect(started[0]?.input.installation).toBe('abcdef01');
  expect(delayMs).toBeGreaterThan(4_000);
  expect(delayMs).toBeLessThanOrEqual(5_100);
  expect(againMs).toBeGreaterThanOrEqual(environment.POSTGRES_TIMEOUT_MS + COMMIT_MARGIN_MS);
  // What older workers go by.
  expect(Math.abs(notBefore - deadline - environment.CLOCK_TOLERANCE_MS)).toBeLessThan(100);
});

test('where Temporal cannot be reached each write learns of it, and the next is tried again', async () => {
  let down = true;
  const { started, repairs } = noted(() => {
    if (down) throw new Error('Temporal is down');
  });
  await expect(repairs.announce(0, entry('a'), Date.now())).rejects.toThrow('Temporal is down');
  down = false;
  await repairs.announce(0, entry('b'), Date.now());
  expect(started.map(({ input }) => input.entries.map(({ key }) => key))).toEqual([['b']]);
});
