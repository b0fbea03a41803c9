import { CancellationScope, patched, proxyActivities, sleep } from '@temporalio/workflow';
import type { Activities } from '../activities/create-activities.ts';
import { backoff } from './activity-options.ts';
import type { CacheRepairInput } from './messages.ts';

/** While Redis is away for long there are many of these workflows, on the queue that carries the batches. */
const RETRIES = { initial: 1_000, max: 30_000 };

/**
 * Entries were written to PostgreSQL while Redis was out of reach: drops their older copies once Redis is back. Started
 * before the commit, so that a crash in between cannot leave a stale copy behind. Tells Redis when the commit is decided, as
 * a rule, and again when it is for certain: a commit may follow the last look at its deadline by a while.
 */
export async function repairCache(input: CacheRepairInput): Promise<void> {
  if (input.format !== 1) {
    throw new Error(`cache repair input of format ${String(input.format)}: a newer worker is needed`);
  }
  const { partition, entries, installation, delayMs, againMs } = input;
  const what = { partition, entries, ...(installation === undefined ? {} : { installation }) };
  const activities = proxyActivities<Activities>({
    startToCloseTimeout: '30 seconds',
    retry: backoff(RETRIES),
    summary: 'tell Redis of entries that were written around it',
  });
  await CancellationScope.nonCancellable(async () => {
    // An older worker may have begun by the clock alone, and needed no timer.
    const relative = delayMs !== undefined && patched('relative-instants');
    const waitMs = relative ? delayMs : input.notBefore - Date.now();
    if (waitMs > 0) await sleep(waitMs);
    await activities.invalidateEntries(what);
    if (!relative || againMs === undefined) return;
    await sleep(againMs);
    await activities.invalidateEntries(what);
  });
}
