import type { BatchId } from '../../domain/batch.ts';
import type { Temporal } from '../temporal/client.ts';
import { describeSlot } from '../temporal/describe-slot.ts';
import { readInput } from '../temporal/history-events.ts';
import { startBatch } from '../temporal/start-batch.ts';

/** A confirmed batch, and the run that Redis has recorded for it. */
export interface ConfirmedBatch {
  readonly batchId: BatchId;
  readonly partition: number;
  readonly slot: number;
  readonly runId: string;
}

/** `runId` has the batch now; `restarted`: since just now, with so many writes. */
export interface QueuedAgain {
  readonly runId: string;
  readonly restarted?: { readonly writes: number };
}

/**
 * Carries on a batch whose workflow was terminated, reset or failed by hand: its writes may be nowhere but in that run's
 * history. It is started again from there: the same mutations and versions, and so under the same id, in the same slot (in
 * another one, a batch that starts in the old slot would hide the ended run from a recovery). Where that was done already, by a
 * reset or another process, the run is found.
 * `undefined` where another batch is open in the slot, or nothing can be done: look again later.
 * @throws TemporalUnreachable: it may or may not have been started; repeating it is harmless.
 */
export async function queueAgain(
  temporal: Temporal,
  ended: ConfirmedBatch,
  deadlineMs: number,
): Promise<QueuedAgain | undefined> {
  const { batchId, partition, slot, runId } = ended;
  const latest = await describeSlot(temporal, { partition, slot, deadlineMs });
  if (latest.state === 'none') return undefined;
  if (latest.state !== 'closed-unfinished' && latest.batchId === batchId) return { runId: latest.runId };
  const input = await readInput(temporal, { partition, slot, runId, deadlineMs });
  if (input === undefined || input.batchId !== batchId) return undefined;
  const started = await startBatch(temporal, {
    batch: { id: batchId, partition, epoch: input.epoch, mutations: input.mutations },
    slot,
    sealedAt: input.sealedAt,
    deadlineMs,
  });
  // For instance by a run of another batch that was reset by hand, long after it was done: it ends by itself.
  if (started.outcome === 'slot-taken') return undefined;
  return { runId: started.runId, restarted: { writes: input.mutations.length } };
}
