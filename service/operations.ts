import type { Acknowledgement } from '../domain/acknowledgement.ts';
import type { BatchId } from '../domain/batch.ts';
import type { EntryRef } from '../domain/entry.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';
import type { DeadLetter, DeadLetterPage } from '../storage/postgres/dead-letters.ts';
import type { DiscardOutcome } from '../storage/postgres/discard.ts';
import type { Draining } from '../storage/postgres/draining.ts';
import type { RecordedAction } from '../storage/postgres/operator-actions.ts';
import type { BatchPage, BatchPlace, RetriedBatch, ShownBatch } from './operations/batch-types.ts';
import type { FlushResult, Summary } from './operations/summary-types.ts';

/** When the request must have an answer, on this process's monotonic clock (`performance.now()`), in ms. */
interface Deadline {
  readonly deadlineAt: number;
}

/** Who decides, for the record. */
export interface Decider {
  readonly by: string;
}

export interface DiscardRequest extends Decider {
  /** With a version, only that very write; without, whatever the batch holds of the entry. */
  readonly entries: readonly (EntryRef & { readonly version?: Version | undefined })[];
  /** Why, in 1–500 characters. */
  readonly reason: string;
}

/** What became of each entry. Where Redis or the workflow could not be told, the discard holds all the same. */
export interface DiscardResult {
  readonly batchId: BatchId;
  readonly entries: readonly (EntryRef & {
    /** `null` where the batch holds no such write. */
    readonly version: Version | null;
    readonly outcome: DiscardOutcome | 'not-in-batch';
  })[];
  /** `false`: readers may see the discarded value until the batch ends, or until the request is repeated. */
  readonly cacheTold: boolean;
  /** `false`: the Web UI counts the writes as pending until the batch ends. They are not persisted. */
  readonly workflowTold: boolean;
}

/** What was written for a dead letter. `resolved`: the dead letter is given up for it; else the request is to be repeated. */
export interface CorrectedDeadLetter extends EntryVersion {
  readonly state: Acknowledgement;
  readonly resolved: boolean;
}

/** What operators see, and what they decide. */
export interface Operations {
  /** All that is not yet in PostgreSQL. Costs little: looks at most once a second. Never throws. */
  summary(): Promise<Summary>;
  /**
   * Batches that have a slot, in the order of their workflow ids, with ids above `after`. Looks at a bounded number of them: a
   * page of one state may be short, or empty, and still have a next one.
   * @throws batch-not-found where `after` is no workflow id; dependency-unavailable, deadline-exceeded.
   */
  listBatches(
    page: { readonly state?: BatchPlace | undefined; readonly after: string; readonly limit: number },
    deadline: Deadline,
  ): Promise<BatchPage>;
  /** One batch that is on its way, and a page of what it carries. @throws batch-not-found, dependency-unavailable. */
  showBatch(
    workflowId: string,
    page: { readonly after: number; readonly limit: number },
    deadline: Deadline,
  ): Promise<ShownBatch>;
  /**
   * Tries a batch again at once that waits for its next attempt. Nothing happens later than the answer.
   * @throws batch-not-found, batch-not-waiting; dependency-unavailable where no worker answers.
   */
  retryBatch(workflowId: string, decider: Decider, deadline: Deadline): Promise<RetriedBatch>;
  /** What operators did, of an id below `before`, newest first. @throws dependency-unavailable. */
  listActions(page: { readonly before: number; readonly limit: number }): Promise<readonly RecordedAction[]>;
  /**
   * Waits until all that was accepted before is settled in PostgreSQL, or the deadline: then says what is left.
   * @throws dependency-unavailable, deadline-exceeded.
   */
  flush(decider: Decider, deadline: Deadline): Promise<FlushResult>;
  /**
   * Refuses write-behind writes from now on, on every process and across restarts, so that the queue empties; or takes them
   * again.
   * @throws dependency-unavailable, also where the decision is recorded and Redis could not be told of it; outcome-unknown.
   */
  setDraining(draining: boolean, decider: Decider, deadline: Deadline): Promise<Draining>;
  /** Whether any partition refuses write-behind writes; `null` where Redis could not say. Never throws. */
  isDraining(): Promise<boolean | null>;
  /**
   * Gives up pending writes of a batch for good: they will never be in their rows, whoever carries the batch. May be repeated.
   * @throws batch-not-found, dependency-unavailable, outcome-unknown, deadline-exceeded.
   */
  discardWrites(workflowId: string, request: DiscardRequest, deadline: Deadline): Promise<DiscardResult>;
  /** Those with an id above `after`, oldest first. @throws dependency-unavailable. */
  listDeadLetters(page: DeadLetterPage): Promise<readonly DeadLetter[]>;
  /** One, with its whole value. @throws dead-letter-not-found, dependency-unavailable. */
  showDeadLetter(id: number): Promise<DeadLetter>;
  /**
   * Writes another value in the place of the one that PostgreSQL refused: a new write, with a version of its own, on the
   * condition that the entry was not written since. Then the dead letter is given up for it. May be repeated: the same value is
   * written once.
   * @param value as `Holdfast.put` takes it.
   * @throws as `Holdfast.put`; dead-letter-not-found, dead-letter-discarded; collection-not-found where it is configured no more;
   *   precondition-failed where the entry has a newer value.
   */
  correctDeadLetter(
    id: number,
    value: string,
    decider: Decider,
    deadline: Deadline,
  ): Promise<CorrectedDeadLetter>;
  /**
   * Writes a dead letter into its row after all, at its own version: a newer row stays as it is. Answers which write it was.
   * @throws dead-letter-not-found, dead-letter-discarded; dead-letter-refused where PostgreSQL refuses the value still;
   *   dependency-unavailable, outcome-unknown, deadline-exceeded.
   */
  retryDeadLetter(id: number, decider: Decider, deadline: Deadline): Promise<EntryVersion>;
  /** @throws dead-letter-not-found, dead-letter-discarded, dependency-unavailable, outcome-unknown. */
  discardDeadLetter(id: number, decision: Decider & { readonly reason: string }): Promise<void>;
}
