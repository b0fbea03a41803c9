import type { BatchId } from '../domain/batch.ts';
import type { EntryRef } from '../domain/entry.ts';
import type { Epoch } from '../domain/epoch.ts';
import type { Mutation } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';

/** The input of a batch workflow. `format` lets workers and API of neighbouring versions run together. */
export interface BatchInput {
  readonly format: 1;
  readonly batchId: BatchId;
  readonly partition: number;
  readonly slot: number;
  readonly epoch: Epoch;
  /** RFC 3339. */
  readonly sealedAt: string;
  readonly mutations: readonly Mutation[];
}

/** In the memo: how others learn which batch a slot holds, without history or a worker. */
export interface BatchMemo {
  readonly batchId: BatchId;
  readonly epoch: Epoch;
  readonly entries: number;
}

/** An entry that did not reach its row: dead-lettered or discarded. */
export interface EntryVersion extends EntryRef {
  readonly version: Version;
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
  /** The last failure of the whole batch that the workflow was told of. */
  readonly lastFailure?: string;
}
