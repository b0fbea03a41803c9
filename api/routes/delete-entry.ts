import { HoldfastError } from '../../domain/errors.ts';
import { collectionNamed } from '../collection.ts';
import { withIdempotencyKey } from '../idempotency-key.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { receipt } from '../schemas/receipt.ts';
import { RECEIPT, RECEIPT_HEADERS, WRITE_PROBLEMS } from '../write-operation.ts';
import { writeOptions } from '../write-options.ts';

/** `DELETE /v1/collections/{collection}/entries/{key}`: deleting what is absent is fine. */
export const deleteEntry: Route = {
  method: 'delete',
  path: ENTRY_PATH,
  effect: 'write',
  access: 'write',
  operation: {
    id: 'deleteEntry',
    tag: 'Entries',
    summary: 'Delete an entry',
    description: 'Deleting what is absent is fine.',
    headers: ['prefer', 'if-match', 'idempotency-key'],
    answers: {
      200: { description: 'Persisted.', schema: receipt, headers: RECEIPT_HEADERS },
      202: {
        description: 'Cached or queued, as `state` says.',
        schema: receipt,
        headers: RECEIPT_HEADERS,
        example: RECEIPT,
      },
    },
    problems: WRITE_PROBLEMS,
  },
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      const { headers } = c.env.incoming;
      const options = writeOptions(headers, deadlineAt);
      if (options.condition !== undefined && 'ifAbsent' in options.condition) {
        throw new HoldfastError('invalid-request', 'If-None-Match: * makes no sense for a delete.');
      }
      const once = withIdempotencyKey(options, headers, entry, 'delete', '');
      return receiptResponse(c, await holdfast.delete(collection, entry.key, once), options.durability);
    },
};
