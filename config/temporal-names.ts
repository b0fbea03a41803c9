import { partitionName, slotName } from '../domain/partition.ts';

/** The workflow type of a batch. */
export const WRITE_BEHIND_WORKFLOW = 'writeBehind';

/** The workflow type that tells Redis of entries written around it. */
export const REPAIR_CACHE_WORKFLOW = 'repairCache';

/** `write-behind:p00:s03`: at most one open workflow per slot, and ids that sort by partition. */
export function slotWorkflowId(partition: number, slot: number): string {
  return `write-behind:${partitionName(partition)}:${slotName(slot)}`;
}
