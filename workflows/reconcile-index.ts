import { setCurrentDetails } from '@temporalio/workflow';
import type { ReconcileResult } from '../activities/reconcile-index.ts';
import { maintenanceActivities } from './maintenance-activities.ts';

const activities = maintenanceActivities({
  startToCloseTimeout: '10 minutes',
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
