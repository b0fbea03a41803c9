import type { BatchId } from '../domain/batch.ts';
import type { EntryRef } from '../domain/entry.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';
import type { DeadLetter } from '../storage/postgres/dead-letters.ts';
import type { DiscardOutcome } from '../storage/postgres/discard.ts';
import type { Summary } from './operations/summary-types.ts';

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

/** What operators see, and what they decide. */
export interface Operations {
  /** All that is not yet in PostgreSQL. Costs little: looks at most once a second. Never throws. */
  summary(): Promise<Summary>;
  /**
   * Gives up pending writes of a batch for good: they will never be in their rows, whoever carries the batch. May be repeated.
   * @throws batch-not-found, dependency-unavailable, outcome-unknown, deadline-exceeded.
   */
  discardWrites(workflowId: string, request: DiscardRequest, deadline: Deadline): Promise<DiscardResult>;
  /** Those with an id above `after`, oldest first. @throws dependency-unavailable. */
  listDeadLetters(page: { readonly after: number; readonly limit: number }): Promise<readonly DeadLetter[]>;
  /**
   * Writes a dead letter into its row after all, at its own version: a newer row stays as it is. Answers which write it was.
   * @throws dead-letter-not-found, dead-letter-discarded; dead-letter-refused where PostgreSQL refuses the value still;
   *   dependency-unavailable, outcome-unknown, deadline-exceeded.
   */
  retryDeadLetter(id: number, decider: Decider, deadline: Deadline): Promise<EntryVersion>;
  /** @throws dead-letter-not-found, dead-letter-discarded, dependency-unavailable, outcome-unknown. */
  discardDeadLetter(id: number, decision: Decider & { readonly reason: string }): Promise<void>;
}
