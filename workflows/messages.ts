import type { BatchId } from '../domain/batch.ts';
import type { Epoch, Installation } from '../domain/epoch.ts';
import type { EntryVersion, Mutation } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';

/**
 * The first argument of a batch workflow. `format` lets workers and API of neighbouring versions run together: a worker that
 * does not know it leaves the batch to one that does. In formats 1 and 2 (from where mutations carry idempotency records) the
 * mutations are part of it; from 3 on they are the second argument, {@link PackedMutations}.
 */
export type BatchInput = BatchHeader &
  ({ readonly format: 1 | 2; readonly mutations: readonly Mutation[] } | { readonly format: 3 });

interface BatchHeader {
  readonly batchId: BatchId;
  readonly partition: number;
  readonly slot: number;
  readonly epoch: Epoch;
  /** RFC 3339. */
  readonly sealedAt: string;
  /** `37 writes · carts, page-views`: the batch in words for the Web UI. Names collections, never a key or a value. */
  readonly summary: string;
  /** Started with search attributes: the namespace knows them. Only then may the workflow change them. */
  readonly searchAttributes?: boolean;
}

/** In the memo: how others learn which batch a slot holds, without history or a worker. */
export interface BatchMemo {
  readonly batchId: BatchId;
  readonly epoch: Epoch;
  readonly entries: number;
  /** The lowest version in it, which is the time of its oldest write. Not in those that older versions started. */
  readonly oldest?: Version;
}

export type BatchState = 'persisting' | 'retrying' | 'stuck' | 'releasing' | 'done';

/** The result of a batch workflow. */
export interface BatchResult {
  readonly batchId: BatchId;
  readonly outcome: 'persisted' | 'refused';
  readonly setAside: readonly EntryVersion[];
  readonly discarded: readonly EntryVersion[];
}

/** The answer of the `pending` query: the mutations that are not yet persisted. */
export interface PendingAnswer {
  readonly batchId: BatchId;
  /** The run that answered: a slot's workflow id is used again by later batches. */
  readonly runId: string;
  readonly mutations: readonly Mutation[];
}

/** The answer of the `status` query. Attempts and the next retry come from Describe (`pendingActivities`). */
export interface StatusAnswer {
  readonly batchId: BatchId;
  readonly state: BatchState;
  readonly total: number;
  readonly pending: number;
  readonly discarded: number;
  readonly setAside: number;
  /** RFC 3339. */
  readonly sealedAt: string;
  /** When the oldest of the pending writes was accepted, RFC 3339; left out where none is pending. */
  readonly oldestWrite?: string;
  /** The last failure of the whole batch that the workflow was told of. */
  readonly lastFailure?: string;
}

/** What every update may carry. */
interface UpdateRequest {
  /**
   * Milliseconds since 1970. The update is refused when it reaches the workflow later than this: without a worker the
   * server holds updates back, and nothing should happen long after the caller was told that it failed.
   */
  readonly notAfter?: number;
}

/** The argument of the `retryNow` update; may be left out. */
export interface RetryRequest extends UpdateRequest {
  /** Who asks: the history keeps it. */
  readonly by?: string;
}

/** The argument of the `discard` update. */
export interface DiscardRequest extends UpdateRequest {
  /** Entry ids (`collection/key`), each of them pending, or discarded before and at least one pending. */
  readonly ids: readonly string[];
  /** Why, in 1–500 characters. Recorded in the workflow's history. */
  readonly reason: string;
}

/**
 * The type of the failure with which an update is refused: `already-discarded` where a discard names nothing that was not
 * discarded before. Either leaves no trace in the history.
 */
export type Refusal = 'refused' | 'already-discarded';

/** The answer of both updates: where the batch stands right after. */
export interface UpdateAnswer {
  readonly state: BatchState;
  readonly pending: number;
}

/** The input of a cache repair: entries of one partition that were written around Redis. */
export interface CacheRepairInput {
  readonly format: 1;
  readonly partition: number;
  readonly entries: readonly EntryVersion[];
  /** Whose Redis is to be told. Not in those that older versions started. */
  readonly installation?: Installation;
  /**
   * Milliseconds since 1970, by the clock of who started it: by then the commits are decided, most likely. Only where
   * `delayMs` is left out, as older versions do; for older workers it is always there.
   */
  readonly notBefore: number;
  /** Milliseconds from the start of the workflow until Redis is told. */
  readonly delayMs?: number;
  /** Milliseconds from then until it is told once more, for commits that came late. Left out: it is told once. */
  readonly againMs?: number;
}
