import { ApplicationFailure, CancelledFailure, cancellationSignal } from '@temporalio/activity';
import { crashPoint } from '../config/crash-points.ts';
import type { Batch } from '../domain/batch.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import type { PersistOutcome } from '../storage/postgres/types.ts';
import { persistFailure, releaseFailure } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';

export interface PersistRequest {
  readonly batch: Batch;
  /** The batch waits for a person after a permanent failure: throw everything as retryable. */
  readonly parked: boolean;
}

/** {@link PersistOutcome} without PostgreSQL's messages, which may quote values and would stay in the history. */
export interface PersistResult {
  readonly outcome: 'persisted' | 'refused';
  readonly setAside: readonly EntryVersion[];
}

/** An entry of a settled batch, with the idempotency records that its mutation carried. */
export interface ReleasedEntry extends EntryVersion {
  readonly records?: string;
}

/** What a release needs to know of a settled batch. */
export interface ReleaseInput {
  readonly batchId: string;
  readonly partition: number;
  readonly entries: readonly ReleasedEntry[];
  /** Dead-lettered and discarded entries: their cached values are dropped. */
  readonly setAside: readonly EntryVersion[];
  readonly outcome: 'persisted' | 'refused';
}

/** Entries of one partition that were written around Redis. */
export interface InvalidateInput {
  readonly partition: number;
  readonly entries: readonly EntryVersion[];
}

export interface ActivityDeps {
  /** Writes the batch to PostgreSQL, once. Ends early when `signal` aborts. */
  readonly persist: (batch: Batch, signal: AbortSignal) => Promise<PersistOutcome>;
  /** Throws while Redis is out of reach or the partition has no valid epoch. */
  readonly release: (input: ReleaseInput) => Promise<void>;
  /** Throws as `release` does. */
  readonly invalidate: (input: InvalidateInput) => Promise<void>;
}

/** The activities of a batch workflow. */
export function createActivities({ persist, release, invalidate }: ActivityDeps) {
  return {
    /** Throws `ApplicationFailure` only: of type `permanent` (not retryable), a SQLSTATE, or `unreachable`. */
    async persistBatch({ batch, parked }: PersistRequest): Promise<PersistResult> {
      crashPoint('before-persist');
      const signal = cancellationSignal();
      try {
        const result = await withHeartbeats(() => persist(batch, signal));
        crashPoint('after-persist');
        const setAside = result.outcome === 'persisted' ? result.setAside : [];
        return {
          outcome: result.outcome,
          setAside: setAside.map(({ collection, key, version }) => ({ collection, key, version })),
        };
      } catch (error) {
        if (signal.aborted) throw new CancelledFailure('the attempt was cancelled');
        throw error instanceof ApplicationFailure ? error : persistFailure(error, parked);
      }
    },

    /** Throws retryable failures only. */
    async releaseBatch(input: ReleaseInput): Promise<void> {
      try {
        crashPoint('before-release');
        await withHeartbeats(() => release(input));
        crashPoint('after-release');
      } catch (error) {
        throw error instanceof ApplicationFailure ? error : releaseFailure(error);
      }
    },

    /** Throws retryable failures only. */
    async invalidateEntries(input: InvalidateInput): Promise<void> {
      try {
        crashPoint('invalidate');
        await invalidate(input);
      } catch (error) {
        throw error instanceof ApplicationFailure ? error : releaseFailure(error);
      }
    },
  };
}

export type Activities = ReturnType<typeof createActivities>;
