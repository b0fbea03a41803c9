import { proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { Maintenance } from '../activities/create-maintenance.ts';
import type { PruneResult } from '../activities/prune-tombstones.ts';

/** Tried again a few times; then the next run of the schedule is soon enough. */
const activities = proxyActivities<Maintenance>({
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '10 seconds',
  retry: {
    initialInterval: '10 seconds',
    backoffCoefficient: 2,
    maximumInterval: '2 minutes',
    maximumAttempts: 5,
  },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  summary: 'remove tombstones that no older write can follow',
});

/** One pruning, started by its schedule. Nothing is lost where it fails: tombstones wait for the next one. */
export async function pruneTombstones(): Promise<PruneResult> {
  const result = await activities.pruneTombstones();
  setCurrentDetails(details(result));
  return result;
}

function details({ pruned, floor, skipped, records = 0, refused = 0 }: PruneResult): string {
  return [
    `**${pruned} tombstones pruned**${skipped === undefined ? '' : ` · ${skipped}`}`,
    '',
    ...(records > 0 ? [`${records} idempotency records removed for their age.`, ''] : []),
    ...(refused > 0
      ? [`${refused} records of refused batches removed that no slot holds any more.`, '']
      : []),
    `No late write at or below version ${floor} can bring back an entry that has no row.`,
  ].join('\n');
}
