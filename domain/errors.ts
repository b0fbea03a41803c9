/** Every way a request can end without what it asked for. Mapped once to HTTP and once to Temporal failures. */
export type ErrorCode =
  | 'invalid-request'
  | 'collection-not-found'
  | 'entry-not-found'
  | 'batch-not-found'
  | 'batch-not-waiting'
  | 'dead-letter-not-found'
  | 'dead-letter-discarded'
  | 'dead-letter-refused'
  | 'counter-overflow'
  | 'precondition-failed'
  | 'idempotency-key-reused'
  | 'value-too-large'
  | 'queue-full'
  | 'draining'
  | 'dependency-unavailable'
  | 'outcome-unknown'
  | 'deadline-exceeded'
  | 'internal';

/** A part of the system that can be out of reach. */
export type Dependency = 'redis' | 'temporal' | 'postgres';

export interface ErrorDetails {
  /** When trying again makes sense, in seconds. */
  readonly retryAfterSeconds?: number;
  readonly dependency?: Dependency;
  /** The entry's version at the time of a refused condition; 0 where it does not exist. */
  readonly currentVersion?: number;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly cause?: unknown;
}

/**
 * The one error that crosses module borders on purpose. `message` is written for the caller of the API: what happened,
 * what it means for the data, what to do. It never holds a value or a secret.
 */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.details = details;
  }
}
