import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { HoldfastError } from '../../domain/errors.ts';
import type { DiscardRequest, Refusal, RetryRequest, UpdateAnswer } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';
import { isTemporalUnreachable, UnreadableBatch, withDeadline } from './errors.ts';

export type { UpdateAnswer };

const RETRY_AFTER_SECONDS = 5;

/** Sends an update and waits for its answer. The update itself carries the deadline: see `notAfter`. */
async function update<Request extends { readonly notAfter: number }>(
  temporal: Temporal,
  run: { readonly workflowId: string; readonly runId?: string },
  name: 'retryNow' | 'discard',
  request: Request,
  deadlineMs: number,
  refused: 'batch-not-waiting' | 'invalid-request' = 'invalid-request',
): Promise<UpdateAnswer> {
  try {
    return await withDeadline(temporal, deadlineMs, ({ workflow }) =>
      workflow
        .getHandle(run.workflowId, run.runId)
        .executeUpdate<UpdateAnswer, [Request]>(name, { args: [request] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) {
      throw new HoldfastError(refused, error.cause?.message ?? error.message, { cause: error });
    }
    if (error instanceof WorkflowNotFoundError) {
      throw new HoldfastError('batch-not-found', 'There is no open batch of this name.', { cause: error });
    }
    if (error instanceof UnreadableBatch) {
      throw new HoldfastError(
        'dependency-unavailable',
        `The batch took it, but its answer cannot be read here (${error.message}): ${error.remedy}.`,
        { dependency: 'temporal', retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error },
      );
    }
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isTemporalUnreachable(error)) {
      throw new HoldfastError(
        'dependency-unavailable',
        `No worker answered within ${deadlineMs} ms. The request has expired with that; if a worker took it at the last moment, the status of the batch shows it.`,
        { dependency: 'temporal', retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error },
      );
    }
    throw error;
  }
}

/**
 * Tries a batch that waits for its next attempt again at once.
 * @param by who asks, for the workflow's history.
 * @throws HoldfastError `batch-not-waiting` with the reason where nothing waits to be retried; `batch-not-found` where no such
 * batch is open; `dependency-unavailable` where no worker answers within `deadlineMs`.
 */
export function retryNow(
  temporal: Temporal,
  workflowId: string,
  by: string,
  deadlineMs: number,
): Promise<UpdateAnswer> {
  const request = { notAfter: Date.now() + deadlineMs, by } satisfies RetryRequest;
  return update(temporal, { workflowId }, 'retryNow', request, deadlineMs, 'batch-not-waiting');
}

/**
 * Tells a batch that writes of it were discarded, so that it stops carrying them. Only informs: what makes a discard is its
 * record in PostgreSQL, which must be there first. Names the run: the next batch of the slot may hold newer writes of the
 * same entries. May be repeated, also together with others: `undefined` where the batch knew of all of them. Errors as
 * {@link retryNow}, and `invalid-request` where the reason is empty or longer than 500 characters, or the batch holds an
 * entry neither as pending nor as discarded.
 */
export async function informOfDiscard(
  temporal: Temporal,
  run: { readonly workflowId: string; readonly runId: string },
  { ids, reason }: Pick<DiscardRequest, 'ids' | 'reason'>,
  deadlineMs: number,
): Promise<UpdateAnswer | undefined> {
  const request = { ids, reason, notAfter: Date.now() + deadlineMs } satisfies DiscardRequest;
  try {
    return await update(temporal, run, 'discard', request, deadlineMs);
  } catch (error) {
    if (isRefusal(error, 'already-discarded')) return undefined;
    throw error;
  }
}

/** Whether the workflow refused an update with this type of failure. */
function isRefusal(error: unknown, type: Refusal): boolean {
  const failed = error instanceof HoldfastError ? error.cause : undefined;
  const refusal = failed instanceof WorkflowUpdateFailedError ? failed.cause : undefined;
  return refusal instanceof ApplicationFailure && refusal.type === type;
}
