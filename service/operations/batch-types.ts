import type { BatchId } from '../../domain/batch.ts';
import type { EntryVersion } from '../../domain/mutation.ts';
import type { UpdateAnswer } from '../../storage/temporal/batch-control.ts';
import type { BatchFailure, BatchStanding } from '../../storage/temporal/describe-batch.ts';
import type { StatusAnswer } from '../../storage/temporal/query-status.ts';

/**
 * `staged`: it has a slot, and is not known to have reached Temporal. `done`: its release is on its way. `unknown`: Redis names
 * it, and Temporal does not know it.
 */
export type BatchPlace = BatchStanding | 'staged' | 'unknown';

/** A batch that has a slot. */
export interface ListedBatch {
  readonly workflowId: string;
  /** `null` while it is staged, and in what follows where the run does not say. */
  readonly runId: string | null;
  readonly batchId: BatchId;
  readonly partition: number;
  readonly state: BatchPlace;
  readonly entries: number | null;
  /** Of its writes, the first ones in their order. */
  readonly collections: readonly string[] | null;
  readonly oldestWriteAt: Date | null;
  readonly startedAt: Date | null;
  /** Of what it waits for, the one under way included; 0 where it waits for nothing. */
  readonly attempts: number;
  /** Somebody paused the attempts: there is no next one before they are unpaused. */
  readonly paused: boolean;
  readonly lastError: BatchFailure | null;
  /** `null` while an attempt is under way, and where none is planned. */
  readonly nextAttemptAt: Date | null;
  /** Its page in the Temporal Web UI; `null` where Temporal is not known to have it. */
  readonly uiUrl: string | null;
}

export interface BatchPage {
  readonly batches: readonly ListedBatch[];
  /** The `after` of the next page, which may be empty; `null` on the last one. */
  readonly next: string | null;
}

/** Where a batch stands right after it was told to try again. */
export type RetriedBatch = UpdateAnswer;

/** One batch and a page of its writes. */
export interface ShownBatch extends ListedBatch {
  /** What its workflow says of itself; `null` where no worker answered in time. */
  readonly counts: Pick<StatusAnswer, 'total' | 'pending' | 'discarded' | 'setAside'> | null;
  /** What it began with, in the order it carries them, from the history. */
  readonly writes: readonly (EntryVersion & {
    readonly deleted: boolean;
    /** Of its text, in characters. */
    readonly valueLength: number;
  })[];
  /** The `after` of the next page of writes; `null` on the last one. */
  readonly next: number | null;
}
