import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WriteCondition } from '../../domain/condition.ts';
import type { StageOutcome } from '../../storage/redis/stage-outcome.ts';
import { createTogether } from '../../storage/redis/together.ts';
import { stageWrite } from '../../storage/redis/write.ts';
import {
  openPartition,
  type RedisUnderTest,
  startRedisUnderTest,
  type TestPartition,
} from '../support/redis-partition.ts';

let redis: RedisUnderTest;
/** How many scripts were sent. */
let scripts = 0;
beforeAll(async () => {
  const one = await startRedisUnderTest();
  const run: RedisUnderTest['store']['run'] = (name, keys, args) => {
    scripts += 1;
    return one.store.run(name, keys, args);
  };
  redis = { ...one, store: { ...one.store, run, together: createTogether(run) } };
});
afterAll(() => redis.stop());

interface Write {
  readonly what: 'put' | 'delete' | 'increment';
  readonly key: 'a' | 'b' | 'c';
  readonly value: string;
  readonly by: number;
  readonly condition: WriteCondition | undefined;
  /** Of its Idempotency-Key. */
  readonly once: string | undefined;
  /** It knows that PostgreSQL has no record of that key. */
  readonly asked: boolean;
}
const writeOf: fc.Arbitrary<Write> = fc.record({
  what: fc.constantFrom('put', 'put', 'delete', 'increment', 'increment'),
  key: fc.constantFrom('a', 'b', 'c'),
  value: fc.constantFrom('1', '"longer"', '{"a":[1,2,3]}'),
  by: fc.constantFrom(-1, 1, 2, Number.MAX_SAFE_INTEGER),
  condition: fc.constantFrom(undefined, undefined, undefined, { ifAbsent: true } as const, { ifVersion: 4 }),
  once: fc.constantFrom(undefined, undefined, 'k1', 'k2'),
  asked: fc.boolean(),
});

function perform(p: TestPartition, { what, key, value, by, condition, once, asked }: Write) {
  const options = p.options({
    limits: { entries: 3, bytes: 700 },
    maxQueued: 2,
    condition,
    ...(once === undefined
      ? {}
      : { once: { key: once, fingerprint: 'f', asked: asked ? 'shared' : '', fresh: 'shared' } }),
  });
  // Documents and counters have names of their own.
  if (what === 'increment') return stageWrite(redis.store, { collection: 'hits', key, by }, options);
  const ref = { collection: 'docs', key, kind: 'document' } as const;
  return stageWrite(redis.store, { ...ref, value: what === 'delete' ? null : value }, options);
}

/** Versions by their rank, times left out: what two runs at different times have in common. */
function comparable(p: TestPartition, what: unknown): unknown {
  const text = JSON.stringify(what)
    .replaceAll(p.epoch, 'EPOCH')
    .replaceAll(p.keys.name, 'PNN')
    .replaceAll(/"(since|fills_from|run_id|replid|newest_from)":"[^"]*"/g, '');
  const versions = [...new Set(text.match(/1[78]\d{14}/g) ?? [])].sort();
  return text.replaceAll(/1[78]\d{14}/g, (version) => `v${versions.indexOf(version)}`);
}

async function ready(): Promise<TestPartition> {
  const p = await openPartition(redis);
  for (const key of ['a', 'b']) {
    await p.put(key, '0');
    await p.add(key, 1);
  }
  await redis.raw.set(`${p.keys.entryPrefix}hits/a`, `V ${p.epoch} 2 c 7`);
  await redis.raw.set(`${p.keys.tokenPrefix}k1`, `${p.epoch} shared`);
  return p;
}

test('writes made at once answer and leave what the same writes leave one after another', async () => {
  let together = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(writeOf, { minLength: 2, maxLength: 12 }), async (writes) => {
      const [one, other] = [await ready(), await ready()];
      const inTurn: StageOutcome[] = [];
      for (const write of writes) inTurn.push(await perform(one, write));
      const before = scripts;
      const atOnce = await Promise.all(writes.map((write) => perform(other, write)));
      together += scripts - before;
      expect(comparable(other, [atOnce, await other.dump()])).toEqual(
        comparable(one, [inTurn, await one.dump()]),
      );
    }),
    { numRuns: 150 },
  );
  expect(together).toBe(150);
});

test('increments of one counter made at once are all counted, and cost one script', async () => {
  const p = await openPartition(redis);
  await p.setCounter('c', '0');
  const before = scripts;
  const values = await Promise.all(Array.from({ length: 100 }, () => p.add('c', 1)));
  expect(scripts - before).toBe(1);
  expect(values.map((outcome) => 'value' in outcome && outcome.value)).toEqual(
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  expect(new Set(values.map((outcome) => 'version' in outcome && outcome.version)).size).toBe(100);
});

test('lookups made at once are one script, and one of two that miss an entry has the lease', async () => {
  const p = await openPartition(redis);
  await p.put('a', '1');
  const before = scripts;
  const found = await Promise.all([p.look('a'), p.look('gone'), p.look('gone'), p.look('a')]);
  expect(scripts - before).toBe(1);
  expect(found).toMatchObject([
    { outcome: 'hit', state: { value: '1' } },
    { outcome: 'miss', held: false, lease: expect.any(String) },
    { outcome: 'miss', held: true, lease: undefined },
    { outcome: 'hit', state: { value: '1' } },
  ]);
});

test('what is too much for one script is several', async () => {
  const p = await openPartition(redis);
  const before = scripts;
  const long = JSON.stringify('x'.repeat(400_000));
  const limits = { entries: 1_000, bytes: 100_000_000 };
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => p.put(key, long, { limits })));
  expect(scripts - before).toBe(2);
});
