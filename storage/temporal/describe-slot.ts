import { type WorkflowExecutionStatusName, WorkflowNotFoundError } from '@temporalio/client';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { BatchId } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { Temporal } from './client.ts';
import { withDeadline } from './errors.ts';

/** Names a run of a slot's workflow; without `runId` its latest run. */
export interface SlotRun {
  readonly partition: number;
  readonly slot: number;
  readonly runId?: string | undefined;
}

/**
 * `completed` alone proves that the batch is in PostgreSQL. `closed-unfinished` (terminated, failed, timed out,
 * cancelled) still counts as pending. `none`: there is no such run, or the server has forgotten it.
 * `batchId` and `epoch` are empty where the workflow carries no memo of ours.
 */
export type SlotDescription =
  | { readonly state: 'none' }
  | {
      readonly state: 'open' | 'completed' | 'closed-unfinished';
      readonly batchId: BatchId;
      readonly epoch: Epoch;
      readonly runId: string;
    };

/** What the status of a run means for its batch. */
export function slotState(status: WorkflowExecutionStatusName): 'open' | 'completed' | 'closed-unfinished' {
  switch (status) {
    case 'COMPLETED':
      return 'completed';
    case 'TERMINATED':
    case 'FAILED':
    case 'TIMED_OUT':
    case 'CANCELLED':
    case 'CONTINUED_AS_NEW':
      return 'closed-unfinished';
    default:
      // Running or paused; a status of a newer server is not closed as far as this process can tell.
      return 'open';
  }
}

function text(memo: Record<string, unknown> | undefined, field: string): string {
  const value = memo?.[field];
  return typeof value === 'string' ? value : '';
}

/**
 * What is in a slot, from Describe and the memo: strongly consistent, and needs no worker.
 * @throws TemporalUnreachable
 */
export async function describeSlot(
  temporal: Temporal,
  run: SlotRun & { deadlineMs: number },
): Promise<SlotDescription> {
  try {
    const { status, memo, runId } = await withDeadline(temporal, run.deadlineMs, ({ workflow }) =>
      workflow.getHandle(slotWorkflowId(run.partition, run.slot), run.runId).describe(),
    );
    return {
      state: slotState(status.name),
      batchId: text(memo, 'batchId'),
      epoch: text(memo, 'epoch'),
      runId,
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { state: 'none' };
    throw error;
  }
}
