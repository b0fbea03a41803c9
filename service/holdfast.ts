import type { Collections } from '../config/collections.ts';
import type { Acknowledgement } from '../domain/acknowledgement.ts';
import type { BatchId } from '../domain/batch.ts';
import type { Collection } from '../domain/collection.ts';
import type { WriteCondition } from '../domain/condition.ts';
import type { EntryRef } from '../domain/entry.ts';
import type { Epoch } from '../domain/epoch.ts';
import type { Dependency, HoldfastError } from '../domain/errors.ts';
import type { IdempotencyKey } from '../domain/idempotency.ts';
import type { EntryState } from '../domain/mutation.ts';
import type { Version } from '../domain/version.ts';
import type { SharedFigures } from '../telemetry/metrics.ts';
import type { BatchOperation } from './batch-operation.ts';
import type { Operations } from './operations.ts';
import type { Payloads } from './payloads.ts';
import type { RateLimits } from './rate-limiter.ts';
import type { Receipt } from './receipt.ts';

export interface RequestOptions {
  /** When the request must have an answer, on this process's monotonic clock (`performance.now()`), in ms. */
  readonly deadlineAt: number;
}

export interface WriteOptions extends RequestOptions {
  /** The level to wait for; the collection's own where it is not given. Write-through is always `persisted`. */
  readonly durability?: Acknowledgement | undefined;
  readonly condition?: WriteCondition | undefined;
  /** The write happens once, however often it is repeated with the same key; see `Receipt.replayed`. */
  readonly idempotency?: IdempotencyKey | undefined;
  /** Called once the write has its place before all later writes of its entry, where it then still waits for its level. */
  readonly onOrdered?: () => void;
}

export interface ReadResult {
  /** `value` is null where the entry does not exist: deleted, or (version 0) never written. */
  readonly state: EntryState;
  /** Where the value came from. */
  readonly source: 'cache' | 'pending' | 'row';
  /** Whether this read put the value into the cache. */
  readonly stored: boolean;
  /** Redis was out of reach: writes that are only `cached` were not seen. */
  readonly degraded?: true;
}

/** Many entries, in the order of their keys; `value` is null where there is no entry. */
export interface ManyResult {
  readonly entries: readonly (EntryState & { readonly key: string })[];
  /** Of at least one of them, as in {@link ReadResult}. */
  readonly degraded: boolean;
}

export interface ListPage {
  /** Only keys after this one, bytewise; from the first where it is empty. */
  readonly after: string;
  /** Only keys that begin so; all where it is empty. */
  readonly prefix: string;
  readonly limit: number;
}

/** Entries as PostgreSQL has them, in the bytewise order of their keys. */
export interface EntryListing {
  readonly entries: readonly {
    readonly key: string;
    readonly version: Version;
    /** JSON text. */
    readonly value: string;
    readonly updatedAt: Date;
  }[];
  /** The `after` of the next page; `null` where there is nothing more. */
  readonly next: string | null;
}

/** What became of an entry whose row was changed by SQL. */
export interface InvalidatedEntry {
  readonly key: string;
  /**
   * `invalidated`: the row has this version now. `pending`: a write of this version waits for PostgreSQL, is newer than the row
   * and stays so. `absent`: there is no row, and nothing pending; only copies were dropped.
   */
  readonly outcome: 'invalidated' | 'pending' | 'absent';
  readonly version: Version | null;
}

/** Why a read gives what it gives. Values are JSON text. */
export interface Explanation extends EntryRef {
  readonly partition: number;
  readonly epoch: Epoch;
  readonly cached: EntryState | null;
  /** What the index names; where that was set aside, what counts instead, unless it is still in Redis. */
  readonly pending:
    | (EntryState & {
        readonly batchId: BatchId;
        /** `redis`: staged, not yet confirmed. `temporal`: in the workflow named here. */
        readonly where: 'redis' | 'temporal';
        readonly workflowId: string | null;
        readonly runId: string | null;
      })
    | null;
  readonly row: EntryState | null;
  /** Versions that were dead-lettered or discarded: where one is pending, it does not count. */
  readonly setAside: readonly Version[];
  /** The highest version wins; `none` where the entry was never written. */
  readonly winner: 'cached' | 'pending' | 'row' | 'none';
}

export interface DependencyHealth {
  readonly dependency: Dependency | 'workers' | 'search-attributes';
  readonly ok: boolean;
  /** Empty where all is well: what is wrong, without secrets. */
  readonly problem: string;
  /** What still works without it and whatever else is down, in a sentence. Empty where all is well. */
  readonly impact: string;
  /** Nothing works without it. */
  readonly stopsAll?: true;
}

/** The use cases behind the HTTP API. Every method throws HoldfastError for what a caller can act on. */
export interface Holdfast {
  readonly collections: Collections;
  readonly operations: Operations;
  readonly rateLimits: RateLimits;
  readonly payloads: Payloads;
  /** @throws dependency-unavailable, deadline-exceeded. */
  read(collection: Collection, key: string, options: RequestOptions): Promise<ReadResult>;
  /**
   * Many entries, each as `read` gives it; a key that is given twice is answered once. Not of one moment.
   * @throws as `read`, where any of them cannot be read.
   */
  readMany(collection: Collection, keys: readonly string[], options: RequestOptions): Promise<ManyResult>;
  /** What is persisted: newer writes may be pending. @throws dependency-unavailable, deadline-exceeded. */
  list(collection: Collection, page: ListPage, options: RequestOptions): Promise<EntryListing>;
  /**
   * `value` is the JSON text to keep (a document) or an integer's digits (a counter).
   * @throws precondition-failed, queue-full, dependency-unavailable, outcome-unknown, deadline-exceeded, invalid-request,
   *   idempotency-key-reused.
   */
  put(collection: Collection, key: string, value: string, options: WriteOptions): Promise<Receipt>;
  /**
   * Changes a document by a merge patch (RFC 7396), given as JSON text that `checkJson` accepts: merged with what is read, and
   * written on the condition that nobody wrote in between; else once more, unless the condition was the caller's.
   * @throws as `put`, and entry-not-found, value-too-large.
   */
  patch(collection: Collection, key: string, patch: string, options: WriteOptions): Promise<Receipt>;
  /** Deleting what is absent is fine. @throws as `put`. */
  delete(collection: Collection, key: string, options: WriteOptions): Promise<Receipt>;
  /** @throws as `put`, and counter-overflow. */
  increment(collection: Collection, key: string, by: number, options: WriteOptions): Promise<Receipt>;
  /**
   * Many writes, each for itself, with its own condition: one result for each, in order. Those of one entry happen in order;
   * all wait for the same level.
   */
  writeMany(
    operations: readonly BatchOperation[],
    options: WriteOptions,
  ): Promise<readonly (Receipt | HoldfastError)[]>;
  /**
   * All of the writes or none, in one transaction of the database. Only for collections that are written through, and at most
   * one write of each entry.
   * @throws as `put` and `increment`: for the whole of it. Where one write is the reason, `errors` names it.
   */
  writeTogether(operations: readonly BatchOperation[], options: RequestOptions): Promise<readonly Receipt[]>;
  /**
   * Rows were changed by SQL, and that has committed: drops cached copies and raises the rows' versions, so that every reader
   * sees them as they are, under another version. A key that is given twice is answered once. May be repeated.
   * @throws dependency-unavailable, outcome-unknown, deadline-exceeded.
   */
  invalidate(
    collection: Collection,
    keys: readonly string[],
    options: RequestOptions,
  ): Promise<readonly InvalidatedEntry[]>;
  /** @throws dependency-unavailable, deadline-exceeded. */
  explain(collection: Collection, key: string, options: RequestOptions): Promise<Explanation>;
  health(): Promise<readonly DependencyHealth[]>;
  /** What all processes share, as far as it can be learnt within two seconds. Never fails. */
  figures(): Promise<SharedFigures>;
  /** Flushes what is staged as far as the deadline allows, and closes all connections. */
  close(deadlineAt: number): Promise<void>;
}
