import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Maintenance } from '../activities/create-maintenance.ts';
import type { ReconcileResult } from '../activities/reconcile-index.ts';

/** Tried again a few times; then the next run of the schedule is soon enough. */
const activities = proxyActivities<Maintenance>({
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: '10 seconds',
  retry: {
    initialInterval: '10 seconds',
    backoffCoefficient: 2,
    maximumInterval: '2 minutes',
    maximumAttempts: 5,
  },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'redo lost releases, queue ended batches again, tidy the pending index',
});

/** One pass over the pending index, started by its schedule. Every API process does the same, page by page. */
export async function reconcileIndex(): Promise<ReconcileResult> {
  const result = await activities.reconcileIndex();
  setCurrentDetails(details(result));
  return result;
}

function details(result: ReconcileResult): string {
  const { partitions, batches, released, queuedAgain, forgotten, skipped } = result;
  return [
    `**${partitions} partitions looked at** · ${batches} batches that take long`,
    '',
    `- ${released} lost releases redone`,
    `- ${queuedAgain} batches queued again whose workflow had been ended by hand`,
    `- ${forgotten} index entries removed that named no batch`,
    ...(skipped.length > 0 ? ['', 'Left for the next pass:', '', ...skipped.map((line) => `- ${line}`)] : []),
  ].join('\n');
}
