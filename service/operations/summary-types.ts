import type { Epoch } from '../../domain/epoch.ts';
import type { Dependency } from '../../domain/errors.ts';

/** What could not be found out, and why. */
export interface Unknown {
  readonly dependency: Dependency;
  readonly problem: string;
}

/** The newest failed attempt of a batch. */
export interface BatchTrouble {
  readonly at: Date;
  readonly workflowId: string;
  /** A SQLSTATE, `unreachable` or `unexpected`; of a release the name of the error. */
  readonly type: string;
  readonly message: string;
  readonly attempts: number;
  /** `null` while an attempt is under way. */
  readonly nextAttemptAt: Date | null;
}

/** The newest failed attempt of the batches of each state that makes attempts which can fail. */
export type NewestErrors = Readonly<Record<'retrying' | 'stuck' | 'releasing', BatchTrouble | null>>;

/**
 * Batches by where they stand. `staged`: closed in Redis, not yet in Temporal. `ended`: the workflow was terminated or
 * failed; the writes are queued again. `unknown`: given to Temporal, and not looked
 * at yet, or not known there any more.
 */
export type BatchCounts = Readonly<
  Record<'staged' | 'persisting' | 'retrying' | 'stuck' | 'releasing' | 'ended' | 'unknown', number>
>;

/** What holds for one partition and for all. `null`: not known, see `unknown`. */
export interface Waiting {
  /** Whether write-behind writes are refused while the queue empties. */
  readonly draining: boolean | null;
  /** Entries with a write that is not known to be in PostgreSQL. */
  readonly pendingEntries: number | null;
  /** Writes that are in Redis alone, and what they weigh. */
  readonly stagedEntries: number | null;
  readonly stagedBytes: number | null;
  readonly slots: number;
  readonly slotsInUse: number | null;
  readonly batches: BatchCounts;
  /** Of the `unknown` batches those that Redis names and Temporal was asked for and does not have: their writes may be lost. */
  readonly notInTemporal: number;
  /** `null`: nothing waits, as far as is known. */
  readonly oldestWriteAt: Date | null;
  readonly oldestAgeSeconds: number | null;
  /** Of all batches. */
  readonly newestError: BatchTrouble | null;
  readonly newestErrors: NewestErrors;
}

export interface PartitionSummary extends Waiting {
  readonly partition: number;
  /** It changes whenever Redis lost its memory. */
  readonly epoch: Epoch | null;
  /** Empty where everything is known. */
  readonly unknown: readonly Unknown[];
}

/** All that is not yet in PostgreSQL, as of one moment within the last two seconds. */
export interface Summary extends Waiting {
  readonly at: Date;
  /** `null`: not known. */
  readonly allPersisted: boolean | null;
  readonly deadLetters: DeadLetterCounts | null;
  /** Rows of entries, since PostgreSQL began to count. It begins again after a crash of PostgreSQL. */
  readonly rowsWritten: number | null;
  readonly unknown: readonly Unknown[];
  readonly partitions: readonly PartitionSummary[];
}

/** Counted up to a limit: at it, there may be more. */
export interface DeadLetterCounts {
  readonly dead: number;
  readonly discarded: number;
}

/** What a flush waits for still. */
export interface FlushResult {
  /** Everything accepted before the flush began is in PostgreSQL, or among the dead letters. */
  readonly persisted: boolean;
  readonly left: readonly { readonly partition: number; readonly batches: number }[];
}
