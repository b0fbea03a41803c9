import { type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { tsToMs } from '@temporalio/common/lib/time.js';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { BatchId } from '../../domain/batch.ts';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attributes.ts';
import type { Version } from '../../domain/version.ts';
import type { BatchState } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';
import { type SlotRun, slotState } from './describe-slot.ts';
import { withDeadline } from './errors.ts';

/** Where a batch stands. `ended`: its workflow was terminated or failed with the writes inside; they are queued again. */
export type BatchStanding = BatchState | 'ended';

/** The newest failed attempt of what a batch waits for. */
export interface BatchFailure {
  readonly at: Date;
  /** A SQLSTATE, `unreachable` or `unexpected`; of a release the name of the error. */
  readonly type: string;
  /** Without values and secrets. */
  readonly message: string;
}

/** A run of a slot's workflow, as Temporal describes it without a worker. */
export interface DescribedBatch {
  readonly workflowId: string;
  readonly runId: string;
  readonly batchId: BatchId;
  readonly state: BatchStanding;
  readonly startedAt: Date;
  /** How many writes it began with; `null` where the run does not say. */
  readonly entries: number | null;
  /** Of its writes, the first ones in their order; `null` where it was started without search attributes. */
  readonly collections: readonly string[] | null;
  /** Of its oldest write, which is its time in µs since 1970; `null` where the run does not say. */
  readonly oldestVersion: Version | null;
  /** Attempts of what it waits for, the one under way included; 0 where it waits for nothing. */
  readonly attempts: number;
  /** Somebody paused them: there is no next one before they are unpaused. */
  readonly paused: boolean;
  readonly failure: BatchFailure | null;
  /** `null` while an attempt is under way, and where none is planned. */
  readonly nextAttemptAt: Date | null;
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/**
 * How far apart the attempts of a batch that needs a person are at most, and others are not: the activity that waits for the
 * person retries within ten minutes, every other within one. Only its options tell them apart without a worker.
 */
const PATIENT_MS = 120_000;

const WITHOUT_ACTIVITY = ['retrying', 'stuck', 'releasing'] as const satisfies readonly BatchState[];

/**
 * Without an activity the first, local attempt is under way, or the workflow pauses, after its activity was failed by hand more
 * than once. Then what it says of itself counts: `shown`, its search attribute, where it has any.
 */
function standing(activity: PendingActivity | undefined, shown: string | undefined): BatchState {
  if (activity === undefined) return WITHOUT_ACTIVITY.find((state) => state === shown) ?? 'persisting';
  if (activity.activityType?.name === 'releaseBatch') return 'releasing';
  const longest = activity.activityOptions?.retryPolicy?.maximumInterval;
  if (longest !== undefined && longest !== null && tsToMs(longest) > PATIENT_MS) return 'stuck';
  return 'retrying';
}

/** Through the client's own converter, codecs included. */
async function failureOf(
  temporal: Temporal,
  workflowId: string,
  activity: PendingActivity | undefined,
): Promise<BatchFailure | null> {
  const { loadedDataConverter, namespace } = temporal.client.options;
  const context = { type: 'workflow', namespace, workflowId } as const;
  const failure = await decodeOptionalFailureToOptionalError(
    loadedDataConverter,
    activity?.lastFailure,
    context,
  );
  if (failure === undefined) return null;
  return {
    at: time(activity?.lastAttemptCompleteTime ?? activity?.lastStartedTime) ?? new Date(0),
    type: (failure instanceof ApplicationFailure ? failure.type : failure.name) ?? 'unexpected',
    message: failure.message,
  };
}

function time(at: PendingActivity['scheduledTime']): Date | null {
  return at === undefined || at === null ? null : new Date(tsToMs(at));
}

/**
 * A run, or the latest one of a slot, by Describe: strongly consistent, and needs no worker. `undefined` where there is none.
 * @throws TemporalUnreachable
 */
export async function describeBatch(
  temporal: Temporal,
  run: SlotRun & { readonly deadlineMs: number },
): Promise<DescribedBatch | undefined> {
  const workflowId = slotWorkflowId(run.partition, run.slot);
  try {
    const described = await withDeadline(temporal, run.deadlineMs, ({ workflow }) =>
      workflow.getHandle(workflowId, run.runId).describe(),
    );
    const { status, memo, runId, startTime, typedSearchAttributes, raw } = described;
    const ended = slotState(status.name);
    const shown = typedSearchAttributes.get(SEARCH_ATTRIBUTES.state);
    const activity = ended === 'open' ? raw.pendingActivities?.[0] : undefined;
    return {
      workflowId,
      runId,
      batchId: typeof memo?.batchId === 'string' ? memo.batchId : '',
      state: ended === 'completed' ? 'done' : ended === 'open' ? standing(activity, shown) : 'ended',
      startedAt: startTime,
      entries: typeof memo?.entries === 'number' ? memo.entries : null,
      collections: typedSearchAttributes.get(SEARCH_ATTRIBUTES.collections) ?? null,
      oldestVersion: typeof memo?.oldest === 'number' ? memo.oldest : null,
      attempts: activity?.attempt ?? 0,
      paused: activity?.paused ?? false,
      failure: await failureOf(temporal, workflowId, activity),
      nextAttemptAt: time(activity?.nextAttemptScheduleTime),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
