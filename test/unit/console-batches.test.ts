import { expect, test } from 'vitest';
import { back, current, forward, type Pages } from '../../console/model/pages.ts';
import {
  anyTroubled,
  collectionsOf,
  heldOrder,
  noneInWords,
  troubled,
} from '../../console/model/troubled.ts';
import type { Batch, Summary } from '../../console/model/wire.ts';
import { FAKE_BATCH, FAKE_SUMMARY } from '../support/fake-operations.ts';

const NOW = 1_790_000_020_000;
const known = JSON.parse(JSON.stringify(FAKE_BATCH)) as Batch;

function batch(batchId: string, failedAt: number | null, more: Partial<Batch> = {}): Batch {
  const lastError =
    failedAt === null ? null : { at: new Date(failedAt).toISOString(), type: '42P01', message: 'no' };
  return { ...known, batchId, workflowId: batchId, lastError, ...more };
}
const ids = (batches: readonly Batch[]) => batches.map(({ batchId }) => batchId);
const fresh = { state: 'persisting', oldestWriteAt: new Date(NOW - 1_000).toISOString() } as const;

test('the newest error comes first; batches that are only on their way, or done, are not shown', () => {
  const batches = [
    batch('no-error', null, { state: 'ended' }),
    batch('older', NOW - 9_000, { state: 'stuck' }),
    batch('on-its-way', null, fresh),
    batch('done', NOW, { state: 'done' }),
    batch('late', null, { state: 'persisting' }),
    batch('newer', NOW - 1_000),
  ];
  expect(ids(troubled(batches, NOW))).toEqual(['newer', 'older', 'late', 'no-error']);
});

test('while somebody is about to press a button, rows stay where they are and new ones come last', () => {
  const batches = [batch('new', NOW), batch('b', NOW - 1), batch('a', NOW - 2)];
  expect(ids(heldOrder(['a', 'gone', 'b'], batches))).toEqual(['a', 'b', 'new']);
});

test('batches are asked for only where the summary says that there is trouble', () => {
  const summary = JSON.parse(JSON.stringify(FAKE_SUMMARY)) as Summary;
  const calm = { ...summary, batches: { ...summary.batches, retrying: 0 } };
  expect(anyTroubled(summary)).toBe(true);
  expect(anyTroubled({ ...calm, oldestAgeSeconds: 3 })).toBe(false);
  expect(anyTroubled({ ...calm, oldestAgeSeconds: 15 })).toBe(true);
  expect(anyTroubled({ ...calm, oldestAgeSeconds: 3, notInTemporal: 1 })).toBe(true);
});

test('where late writes have no workflow yet, the list says so, and does not look for ever', () => {
  const staged = (number: number) => ({ batches: { ...FAKE_SUMMARY.batches, staged: number } });
  expect(noneInWords(staged(0), false)).toBe('None.');
  expect(noneInWords(staged(0), true)).toBe('None among the first ones; there are more.');
  expect(noneInWords(staged(1), false)).toMatch(/^None has a workflow yet: 1 batch is staged in Redis/);
  expect(noneInWords(staged(3), false)).toMatch(/^None has a workflow yet: 3 batches are staged in Redis/);
});

test('the collections of all of them are named once', () => {
  const batches = [['carts', 'views'], null, ['carts']].map((collections, i) =>
    batch(`${i}`, null, { collections }),
  );
  expect(collectionsOf(batches)).toEqual(['carts', 'views']);
});

test('pages are turned forward and back, to the first one and no further', () => {
  const second = forward([0] as Pages<number>, 25);
  expect([current(second), current(back(second)), current(back(back(second)))]).toEqual([25, 0, 0]);
});
