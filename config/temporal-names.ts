import { partitionName, slotName } from '../domain/partition.ts';

/** The workflow type of a batch. */
export const WRITE_BEHIND_WORKFLOW = 'writeBehind';

/** The workflow type that tells Redis of entries written around it. */
export const REPAIR_CACHE_WORKFLOW = 'repairCache';

/** The workflow type of one pruning of tombstones. */
export const PRUNE_TOMBSTONES_WORKFLOW = 'pruneTombstones';

/** The schedule that starts it, and what the ids of its runs begin with. */
export const PRUNE_SCHEDULE = 'prune-tombstones';

/** The workflow type of one pass over the pending index. */
export const RECONCILE_INDEX_WORKFLOW = 'reconcileIndex';

/** The schedule that starts it, and what the ids of its runs begin with. */
export const RECONCILE_SCHEDULE = 'reconcile-index';

/** `write-behind:p00:s03`: at most one open workflow per slot, and ids that sort by partition. */
export function slotWorkflowId(partition: number, slot: number): string {
  return `write-behind:${partitionName(partition)}:${slotName(slot)}`;
}

/** The slot that a workflow id names; `undefined` where it is no batch workflow's. */
export function parseSlotWorkflowId(workflowId: string): { partition: number; slot: number } | undefined {
  const match = /^write-behind:p(\d{2}):s(\d{2})$/.exec(workflowId);
  return match === null ? undefined : { partition: Number(match[1]), slot: Number(match[2]) };
}
