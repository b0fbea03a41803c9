import { ApplicationFailure, CancelledFailure, cancellationSignal } from '@temporalio/activity';
import { crashPoint } from '../config/crash-points.ts';
import type { Batch } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import type { Installation } from '../domain/epoch.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import { type PackedMutations, unpackMutations } from '../domain/packed-mutations.ts';
import type { PersistOutcome } from '../storage/postgres/types.ts';
import { persistFailure, releaseFailure } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';

/** What to persist: the batch as it is, or by its name, beside its mutations in packed form. */
export type PersistRequest = {
  /** The batch waits for a person after a permanent failure: throw everything as retryable. */
  readonly parked: boolean;
} & (
  | { readonly batch: Batch }
  | (Pick<Batch, 'partition' | 'epoch'> & {
      readonly batchId: string;
      /** Ids of entries that were discarded since. */
      readonly discarded: readonly string[];
    })
);

/** A {@link PersistResult}, and whether Redis knows. */
export type CarryResult = PersistResult & { readonly released: boolean };

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
  /** Left out where the mutations come beside it, in packed form. */
  readonly entries?: readonly ReleasedEntry[];
  /** Dead-lettered and discarded entries: their cached values are dropped. */
  readonly setAside: readonly EntryVersion[];
  readonly outcome: 'persisted' | 'refused';
}

/** Entries of one partition that were written around Redis. */
export interface InvalidateInput {
  readonly partition: number;
  readonly entries: readonly EntryVersion[];
  /** Left out by older versions. */
  readonly installation?: Installation;
}

export interface ActivityDeps {
  /** Writes the batch to PostgreSQL, once. Ends early when `signal` aborts. */
  readonly persist: (batch: Batch, signal: AbortSignal) => Promise<PersistOutcome>;
  /** Throws while Redis is out of reach or the partition has no valid epoch. */
  readonly release: (input: Required<ReleaseInput>) => Promise<void>;
  /** Throws as `release` does. */
  readonly invalidate: (input: InvalidateInput) => Promise<void>;
}

/** The activities of a batch workflow. */
export function createActivities({ persist, release, invalidate }: ActivityDeps) {
  const activities = {
    /** Throws `ApplicationFailure` only: of type `permanent` (not retryable), a SQLSTATE, or `unreachable`. */
    async persistBatch(request: PersistRequest, packed?: PackedMutations): Promise<PersistResult> {
      crashPoint('before-persist');
      const { parked } = request;
      const signal = cancellationSignal();
      try {
        const batch = requestedBatch(request, packed);
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
    async releaseBatch(input: ReleaseInput, packed: PackedMutations = []): Promise<void> {
      try {
        crashPoint('before-release');
        const { entries = unpackMutations(packed) } = input;
        await withHeartbeats(() => release({ ...input, entries }));
        crashPoint('after-release');
      } catch (error) {
        throw error instanceof ApplicationFailure ? error : releaseFailure(error);
      }
    },

    /**
     * All of the way at once, as nearly every batch goes it. A batch that is persisted and that Redis could not be told of is
     * no failure: `releaseBatch` goes on. Throws as `persistBatch` does.
     */
    async carryBatch(request: PersistRequest, packed: PackedMutations): Promise<CarryResult> {
      const batch = requestedBatch(request, packed);
      const result = await activities.persistBatch({ batch, parked: request.parked });
      const { id: batchId, partition, mutations: entries } = batch;
      try {
        await activities.releaseBatch({ batchId, partition, entries, ...result });
        return { ...result, released: true };
      } catch {
        return { ...result, released: false };
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
  return activities;
}

/** The batch that a request is about, without what was discarded. @throws as `unpackMutations`. */
export function requestedBatch(request: PersistRequest, packed: PackedMutations = []): Batch {
  if ('batch' in request) return request.batch;
  const { batchId: id, partition, epoch } = request;
  const mutations = unpackMutations(packed);
  const discarded = new Set(request.discarded);
  return {
    ...{ id, partition, epoch },
    mutations: discarded.size === 0 ? mutations : mutations.filter((m) => !discarded.has(entryId(m))),
  };
}

export type Activities = ReturnType<typeof createActivities>;
