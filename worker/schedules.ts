import type { Environment } from '../config/environment.ts';
import {
  PRUNE_SCHEDULE,
  PRUNE_TOMBSTONES_WORKFLOW,
  RECONCILE_INDEX_WORKFLOW,
  RECONCILE_SCHEDULE,
} from '../config/temporal-names.ts';
import type { MaintenanceSchedule } from '../storage/temporal/ensure-schedule.ts';

/** What workers see to: each may be paused in the Web UI, and stays so. */
export function schedulesOf(environment: Environment): readonly MaintenanceSchedule[] {
  return [
    {
      id: PRUNE_SCHEDULE,
      workflowType: PRUNE_TOMBSTONES_WORKFLOW,
      summary: 'Prune tombstones',
      everyMs: environment.PRUNE_INTERVAL_MS,
    },
    {
      id: RECONCILE_SCHEDULE,
      workflowType: RECONCILE_INDEX_WORKFLOW,
      summary: 'Reconcile the pending index',
      everyMs: environment.RECONCILE_INTERVAL_MS,
    },
  ];
}
