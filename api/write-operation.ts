import type { Operation } from './route.ts';

/** What the OpenAPI document says of every write of an entry. */
export const WRITE_PROBLEMS: Operation['problems'] = [
  'collection-not-found',
  'precondition-failed',
  'idempotency-key-reused',
  'queue-full',
  'draining',
  'dependency-unavailable',
  'outcome-unknown',
  'deadline-exceeded',
];

/** Of a receipt. */
export const RECEIPT_HEADERS = ['etag', 'preference-applied', 'idempotent-replayed'] as const;

export const RECEIPT = {
  collection: 'carts',
  key: 'ada',
  version: 1_790_000_000_000_000,
  state: 'queued',
} as const;
