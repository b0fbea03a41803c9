import { randomUUID } from 'node:crypto';
import { slotWorkflowId, WRITE_BEHIND_WORKFLOW } from '../../config/temporal-names.ts';
import type { Batch } from '../../domain/batch.ts';
import { createDatabase } from '../../storage/postgres/database.ts';
import { persistBatch } from '../../storage/postgres/persist-batch.ts';
import { connectTemporal } from '../../storage/temporal/client.ts';
import { describeSlot } from '../../storage/temporal/describe-slot.ts';
import { readInput } from '../../storage/temporal/history-events.ts';
import type { Bed } from './bed.ts';

const CALL_MS = 10_000;
/** `EVENT_TYPE_WORKFLOW_TASK_COMPLETED` of Temporal's API. */
const WORKFLOW_TASK_COMPLETED = 7;

/** A run of a slot's workflow. */
export interface BatchRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly batch: Batch;
}

/** What an operator, or an unkind network, does to batches: with Holdfast's own code, past every proxy. */
export interface Batches {
  /** The batches whose workflows are open now. Asks every slot. */
  open(): Promise<BatchRun[]>;
  /** Every batch whose workflow was started since then; the latest ones may be missing for a moment. */
  startedSince(time: Date): Promise<BatchRun[]>;
  /** Carries a batch into PostgreSQL once more, as a worker does whose answer is lost. */
  deliver(run: BatchRun): Promise<void>;
  terminate(run: BatchRun): Promise<true>;
  cancel(run: BatchRun): Promise<true>;
  /** Back to its first workflow task. Answers whether that is possible: the task must be done. */
  reset(run: BatchRun): Promise<boolean>;
  close(): Promise<void>;
}

export function accessBatches(bed: Bed): Batches {
  const { environment } = bed;
  const temporal = connectTemporal({ environment });
  const database = createDatabase({
    url: environment.DATABASE_URL,
    poolSize: 4,
    timeoutMs: CALL_MS,
    applicationName: 'holdfast-faults',
  });
  const { workflow, workflowService } = temporal.client;
  const namespace = environment.TEMPORAL_NAMESPACE;
  /** A run's input never changes, and is asked for again and again. */
  const known = new Map<string, BatchRun>();

  async function runOf(partition: number, slot: number, runId: string): Promise<BatchRun | undefined> {
    const before = known.get(runId);
    if (before !== undefined) return before;
    const input = await readInput(temporal, { partition, slot, runId, deadlineMs: CALL_MS });
    if (input === undefined) return undefined;
    const { batchId, epoch, mutations } = input;
    const run = {
      workflowId: slotWorkflowId(partition, slot),
      runId,
      batch: { id: batchId, partition, epoch, mutations },
    };
    known.set(runId, run);
    return run;
  }

  return {
    async open() {
      const slots = Array.from({ length: environment.PARTITIONS * environment.SLOTS }, async (_, i) => {
        const partition = Math.floor(i / environment.SLOTS);
        const slot = i % environment.SLOTS;
        const found = await describeSlot(temporal, { partition, slot, deadlineMs: CALL_MS });
        return found.state === 'open' ? await runOf(partition, slot, found.runId) : undefined;
      });
      return (await Promise.all(slots)).filter((run) => run !== undefined);
    },
    async startedSince(time) {
      const runs: Promise<BatchRun | undefined>[] = [];
      const query = `WorkflowType = '${WRITE_BEHIND_WORKFLOW}' AND StartTime >= '${time.toISOString()}'`;
      for await (const { workflowId, runId } of workflow.list({ query })) {
        const [, partition, slot] = /:p(\d+):s(\d+)$/.exec(workflowId) ?? [];
        runs.push(runOf(Number(partition), Number(slot), runId));
      }
      return (await Promise.all(runs)).filter((run) => run !== undefined);
    },
    async deliver({ batch }) {
      await persistBatch(database.db, batch);
    },
    async terminate({ workflowId, runId }) {
      await workflow.getHandle(workflowId, runId).terminate('the bench of proof');
      return true;
    },
    async cancel({ workflowId, runId }) {
      await workflow.getHandle(workflowId, runId).cancel();
      return true;
    },
    async reset({ workflowId, runId }) {
      const workflowExecution = { workflowId, runId };
      const { history } = await workflowService.getWorkflowExecutionHistory({
        namespace,
        execution: workflowExecution,
      });
      const task = history?.events?.find(({ eventType }) => eventType === WORKFLOW_TASK_COMPLETED);
      if (task?.eventId == null) return false;
      await workflowService.resetWorkflowExecution({
        namespace,
        workflowExecution,
        reason: 'the bench of proof',
        workflowTaskFinishEventId: task.eventId,
        requestId: randomUUID(),
      });
      return true;
    },
    async close() {
      await Promise.all([temporal.close(), database.close()]);
    },
  };
}
