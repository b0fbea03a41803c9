import { CancellationScope, proxyActivities, sleep } from '@temporalio/workflow';
import type { Activities } from '../activities/create-activities.ts';
import type { CacheRepairInput } from './messages.ts';

const activities = proxyActivities<Activities>({
  startToCloseTimeout: '30 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '5 seconds' },
  summary: 'tell Redis of entries that were written around it',
});

/**
 * Entries were written to PostgreSQL while Redis was out of reach: drops their older copies once Redis is back. Started
 * before the commit, so that a crash in between cannot leave a stale copy behind; acts only after the commit is decided.
 */
export async function repairCache(input: CacheRepairInput): Promise<void> {
  if (input.format !== 1) {
    throw new Error(`cache repair input of format ${String(input.format)}: a newer worker is needed`);
  }
  await CancellationScope.nonCancellable(async () => {
    const waitMs = input.notBefore - Date.now();
    if (waitMs > 0) await sleep(waitMs);
    await activities.invalidateEntries({ partition: input.partition, entries: input.entries });
  });
}
