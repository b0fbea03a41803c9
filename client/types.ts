import type { z } from 'zod';
import type { batchRequest, batchResult } from '../api/schemas/batch.ts';
import type { listing } from '../api/schemas/listing.ts';
import type { problem } from '../api/schemas/problem.ts';
import type { counterReceipt, receipt } from '../api/schemas/receipt.ts';

// What goes over the wire, from the schemas that the server checks requests with and documents its answers by.

/** `cached`, `queued` or `persisted`, weakest first. */
export type Durability = Receipt['state'];

/** What a write reached. */
export type Receipt = z.output<typeof receipt> & {
  /** A write with the same Idempotency-Key happened before: this is its receipt, and nothing happened now. */
  readonly replayed?: true;
};
export type CounterReceipt = z.output<typeof counterReceipt> & Pick<Receipt, 'replayed'>;

export type Problem = z.output<typeof problem>;
export type ProblemCode = Problem['code'];

export type BatchOperation = z.input<typeof batchRequest>['operations'][number];
/** A receipt, or a problem: only a problem has a `code`. */
export type BatchResult = z.output<typeof batchResult>['results'][number];

type Listed = z.output<typeof listing>;
/** A page of entries as PostgreSQL has them; `next` is the `after` of the next page, or `null`. */
export type Listing<V> = Pick<Listed, 'next'> & {
  readonly entries: readonly (Omit<Listed['entries'][number], 'value'> & { readonly value: V })[];
};

/** An entry's value with its version. */
export interface Entry<V> {
  readonly value: V;
  readonly version: number;
}

export interface CallOptions {
  /** Ends the call. A write that was sent may happen all the same. */
  readonly signal?: AbortSignal | undefined;
  /** For the call with all its repetitions, in ms, above 0; `Infinity`: no limit. Default: that of the client. */
  readonly deadlineMs?: number | undefined;
}

export interface WriteOptions extends CallOptions {
  /** The level to wait for; the collection's own if not given. */
  readonly durability?: Durability | undefined;
  /** Only if the entry has this version. */
  readonly ifMatch?: number | undefined;
  /** Only if there is no such entry. */
  readonly ifAbsent?: boolean | undefined;
  /**
   * The write happens once, however often it is repeated with this key; `true`: with one of its own. It costs the server two
   * more round trips. Without it, increments, patches and conditional writes are not repeated once their outcome is unknown.
   */
  readonly idempotencyKey?: string | true | undefined;
}
