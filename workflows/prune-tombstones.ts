import { setCurrentDetails } from '@temporalio/workflow';
import type { PruneResult } from '../activities/prune-tombstones.ts';
import { maintenanceActivities } from './maintenance-activities.ts';

const activities = maintenanceActivities({
  startToCloseTimeout: '1 hour',
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
