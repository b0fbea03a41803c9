import type { Collection } from '../domain/collection.ts';
import type { WriteCondition } from '../domain/condition.ts';
import type { IdempotencyKey } from '../domain/idempotency.ts';

/** One write of a request that holds many. `value` as `Holdfast.put` takes it; `by` as `Holdfast.increment` does. */
export type BatchOperation = {
  readonly collection: Collection;
  readonly key: string;
  readonly condition?: WriteCondition | undefined;
  readonly idempotency?: IdempotencyKey | undefined;
} & (
  | { readonly op: 'put'; readonly value: string }
  | { readonly op: 'delete' }
  | { readonly op: 'increment'; readonly by: number }
);
