import type { EntryRef } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { IdempotencyKey } from '../domain/idempotency.ts';
import type { CommittedRecord } from '../storage/postgres/idempotency-records.ts';
import type { WriteOptions } from './holdfast.ts';
import type { Receipt } from './receipt.ts';

/**
 * The receipt of a write that was committed before with the same Idempotency-Key.
 * @throws HoldfastError idempotency-key-reused where that was another request.
 */
export function replayedReceipt(
  ref: EntryRef,
  record: CommittedRecord,
  { idempotency }: Pick<WriteOptions, 'idempotency'>,
): Receipt {
  requireSameRequest(record, idempotency);
  const { version, value, created } = record;
  return {
    collection: ref.collection,
    key: ref.key,
    version,
    state: 'persisted',
    ...(value === null ? {} : { value }),
    ...(created === null ? {} : { created }),
    replayed: true,
  };
}

/** @throws HoldfastError idempotency-key-reused. */
export function requireSameRequest(
  { fingerprint }: Pick<IdempotencyKey, 'fingerprint'>,
  request: IdempotencyKey | undefined,
): void {
  if (fingerprint === request?.fingerprint) return;
  throw new HoldfastError(
    'idempotency-key-reused',
    'Another write of this entry came with the same Idempotency-Key: another operation, condition or body. That one happened, this one did not. Use a new key for each write.',
  );
}
