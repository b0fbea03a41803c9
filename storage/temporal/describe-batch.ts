import { WorkflowNotFoundError } from '@temporalio/client';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { Temporal } from './client.ts';
import type { SlotRun } from './describe-slot.ts';
import { withDeadline } from './errors.ts';

/**
 * Where a batch stands, as its run shows it without a worker. `ended`: terminated, failed or timed out with its writes inside, or
 * nobody knows the run: a janitor carries it on. `settled`: in PostgreSQL; only Redis was not told yet.
 */
export type BatchStanding = 'persisting' | 'retrying' | 'stuck' | 'releasing' | 'settled' | 'ended';

/** SQLSTATEs that waiting does not mend, as failures of the activity are named by them. */
const PERMANENT = /^(42|3D|3F|28|0A|F0|XX00[12])/;

/** From Describe: strongly consistent, and needs no worker. @throws TemporalUnreachable */
export async function describeBatch(
  temporal: Temporal,
  run: SlotRun & { readonly deadlineMs: number },
): Promise<BatchStanding> {
  const handle = temporal.client.workflow.getHandle(slotWorkflowId(run.partition, run.slot), run.runId);
  try {
    const { status, raw } = await withDeadline(temporal.client, run.deadlineMs, () => handle.describe());
    if (status.name === 'COMPLETED') return 'settled';
    if (status.name !== 'RUNNING' && status.name !== 'PAUSED') return 'ended';
    const [activity] = raw.pendingActivities ?? [];
    if (activity === undefined || activity === null) return 'persisting';
    if (activity.activityType?.name === 'releaseBatch') return 'releasing';
    const type = activity.lastFailure?.applicationFailureInfo?.type ?? '';
    return PERMANENT.test(type) ? 'stuck' : 'retrying';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'ended';
    throw error;
  }
}
