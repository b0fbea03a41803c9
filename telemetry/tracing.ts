import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { BatchId } from '../domain/batch.ts';

/**
 * How the parts of Holdfast trace what they do. Types only: OpenTelemetry is loaded where a collector is configured and
 * nowhere else, so everybody takes `Tracing | undefined`. Attributes name routes, scripts, statements and batches, never a key
 * or a value of a user.
 */
export type SpanAttributes = Readonly<Record<string, string | number>>;

/** For those who talk to a store. */
export interface StoreTracing {
  /** Runs a call within a span, as part of the trace that is under way; without one, which is background work, just runs it. */
  call<T>(name: string, attributes: SpanAttributes, work: () => Promise<T>): Promise<T>;
}

/** One request, as far as a trace may know it. */
export interface TracedRequest {
  readonly method: string;
  /** `/v1/collections/{collection}/entries/{key}` */
  readonly template: string;
  readonly requestId: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** For an API process. */
export interface Tracing extends StoreTracing {
  /** Runs a request within a span: of its caller's trace, where it came with a `traceparent`. */
  request<T extends { readonly status: number }>(about: TracedRequest, work: () => Promise<T>): Promise<T>;
  /** The request under way has a write in this batch. */
  staged(batchId: BatchId): void;
  /**
   * Carries a batch to Temporal within a span: of the trace of its first write that this process staged, and linked with those
   * of the others; of a trace of its own where there is none.
   */
  batch<T>(batchId: BatchId, attributes: SpanAttributes, work: () => Promise<T>): Promise<T>;
  /** Runs what serves many requests, so that it counts as part of none. */
  detached<T>(work: () => T): T;
  /** Hands the trace on to workflows. */
  readonly client: WorkflowClientInterceptor;
}
