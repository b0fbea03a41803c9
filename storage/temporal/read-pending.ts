import { QueryRejectedError, WorkflowNotFoundError } from '@temporalio/client';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { BatchId } from '../../domain/batch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { PendingAnswer } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';
import { describeSlot, type SlotRun } from './describe-slot.ts';
import { readInput } from './history-events.ts';

/**
 * `mutations` that may not be in PostgreSQL yet. Those from the history are all that the batch started with: some may be
 * persisted or discarded by now, which the row and its dead letters tell.
 */
export type Pending =
  | {
      readonly state: 'open';
      readonly batchId: BatchId;
      readonly runId: string;
      readonly mutations: readonly Mutation[];
      readonly source: 'query' | 'history';
    }
  | { readonly state: 'completed'; readonly batchId: BatchId; readonly runId: string }
  | {
      readonly state: 'closed-unfinished';
      readonly batchId: BatchId;
      readonly runId: string;
      readonly mutations: readonly Mutation[];
    }
  | { readonly state: 'none' };

export interface ReadPendingRequest extends SlotRun {
  /** Milliseconds until the query is given up for the history. */
  readonly queryTimeoutMs: number;
  /** Milliseconds for each of the two calls without a worker that may follow. */
  readonly deadlineMs: number;
  /** `history` saves the wait where no worker is known to answer. */
  readonly via?: 'query' | 'history';
}

/** `closed` where the run is not open; `undefined` where nobody answered as asked, for whatever reason. */
async function query(
  temporal: Temporal,
  request: ReadPendingRequest,
): Promise<PendingAnswer | 'closed' | undefined> {
  try {
    return await temporal.within(request.queryTimeoutMs, ({ workflow }) =>
      workflow
        .getHandle(slotWorkflowId(request.partition, request.slot), request.runId)
        .query<PendingAnswer, []>('pending'),
    );
  } catch (error) {
    if (error instanceof QueryRejectedError || error instanceof WorkflowNotFoundError) return 'closed';
    // No worker, a busy worker, a full query buffer, a failing workflow task: the history knows without any of them. If
    // Temporal itself is away, the calls for the history will say so.
    return undefined;
  }
}

/**
 * What the batch in a slot still holds. Asks a worker first; without an answer in time reads Describe and the first
 * history event, which need none.
 * @throws TemporalUnreachable
 * @throws UnreadableBatch
 */
export async function readPending(temporal: Temporal, request: ReadPendingRequest): Promise<Pending> {
  const { partition, slot, deadlineMs } = request;
  if (request.via !== 'history') {
    const answer = await query(temporal, request);
    if (answer !== undefined && answer !== 'closed') {
      const { batchId, runId, mutations } = answer;
      return { state: 'open', batchId, runId, mutations, source: 'query' };
    }
  }
  const found = await describeSlot(temporal, { partition, slot, runId: request.runId, deadlineMs });
  if (found.state === 'none') return found;
  const { batchId, runId, state } = found;
  if (state === 'completed') return { state, batchId, runId };
  const input = await readInput(temporal, { partition, slot, runId, deadlineMs });
  if (input === undefined) return { state: 'none' };
  const { mutations } = input;
  if (state === 'closed-unfinished') return { state, batchId: input.batchId, runId, mutations };
  return { state, batchId: input.batchId, runId, mutations, source: 'history' };
}
