import { expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { BATCH_BYTES, BATCH_ENTRIES } from '../../telemetry/buckets.ts';

test.each([
  ['BATCH_MAX_ENTRIES', BATCH_ENTRIES],
  ['BATCH_MAX_BYTES', BATCH_BYTES],
] as const)('the largest batch that %s can allow falls into a bucket', (name, buckets) => {
  const more = Number(buckets.at(-1)) + 1;
  expect(() => readEnvironment({ [name]: String(more) })).toThrow(name);
});
