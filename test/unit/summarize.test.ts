import { expect, test } from 'vitest';
import { summarizePartition, total } from '../../service/operations/summarize.ts';
import type { DescribedBatch } from '../../storage/temporal/describe-batch.ts';

const AT = 1_790_000_000_000;

function batch(slot: number, state: DescribedBatch['state'], failedAt: number, message: string) {
  const described: DescribedBatch = {
    workflowId: `write-behind:p00:s0${slot}`,
    runId: `run-${slot}`,
    batchId: `1-abc.p00.${slot}`,
    state,
    startedAt: new Date(AT),
    entries: 1,
    collections: ['carts'],
    oldestVersion: null,
    attempts: 3,
    paused: false,
    failure: { at: new Date(failedAt), type: '42501', message },
    nextAttemptAt: null,
  };
  return { run: { partition: 0, slot, runId: described.runId }, batch: described };
}

function summarized(partition: number, runs: Parameters<typeof summarizePartition>[0]['runs']) {
  const overview = {
    ...{ now: AT * 1_000, epoch: '1-abc', pendingEntries: 4, openNumber: 9, oldestStaged: undefined },
    ...{ open: { entries: 0, bytes: 0 }, closed: [], freeSlots: 0, draining: false, sent: [] },
  };
  return summarizePartition({ partition, slots: 4, overview, runs, now: AT, unknown: [] });
}

test('why a batch is stuck is told by its own error, however new another batch has one', () => {
  const first = summarized(0, [
    batch(0, 'stuck', AT + 1_000, 'permission denied'),
    batch(1, 'retrying', AT + 9_000, 'lock timeout'),
    batch(2, 'releasing', AT + 5_000, 'Redis is gone'),
  ]);
  const second = summarized(1, [batch(3, 'retrying', AT + 10_000, 'deadlock')]);
  const stuck = { message: 'permission denied', workflowId: 'write-behind:p00:s00' };
  expect(first).toMatchObject({
    newestError: { message: 'lock timeout' },
    newestErrors: { retrying: { message: 'lock timeout' }, stuck, releasing: { message: 'Redis is gone' } },
  });
  expect(total([first, second])).toMatchObject({
    newestError: { message: 'deadlock' },
    newestErrors: { retrying: { message: 'deadlock' }, stuck, releasing: { message: 'Redis is gone' } },
  });
  expect(second.newestErrors).toMatchObject({ stuck: null, releasing: null });
});

test('batches that Temporal does not have are told from those that were not looked at yet', () => {
  const run = (slot: number) => ({ partition: 0, slot, runId: `run-${slot}`, confirmedAt: AT * 1_000 });
  const one = summarized(0, [
    { run: run(0), batch: 'none' },
    { run: run(1), batch: undefined },
  ]);
  expect(one).toMatchObject({ notInTemporal: 1, batches: { unknown: 2 } });
  expect(total([one, one])).toMatchObject({ notInTemporal: 2, batches: { unknown: 4 } });
});
