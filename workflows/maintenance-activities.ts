import { proxyActivities } from '@temporalio/workflow';
import type { Maintenance } from '../activities/create-maintenance.ts';

/** Tried again a few times; then the next run of the schedule is soon enough. `summary` is for the Web UI. */
export function maintenanceActivities(options: {
  readonly startToCloseTimeout: '10 minutes' | '1 hour';
  readonly summary: string;
}) {
  return proxyActivities<Maintenance>({
    ...options,
    heartbeatTimeout: '10 seconds',
    retry: {
      initialInterval: '10 seconds',
      backoffCoefficient: 2,
      maximumInterval: '2 minutes',
      maximumAttempts: 5,
    },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  });
}
