import { HoldfastError } from '../../domain/errors.ts';
import { collectionNamed } from '../collection.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { writeOptions } from '../write-options.ts';

/** `DELETE /v1/collections/{collection}/entries/{key}`: deleting what is absent is fine. */
export const deleteEntry: Route = {
  method: 'delete',
  path: ENTRY_PATH,
  effect: 'write',
  access: 'write',
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      const options = writeOptions(c.env.incoming.headers, deadlineAt);
      if (options.condition !== undefined && 'ifAbsent' in options.condition) {
        throw new HoldfastError('invalid-request', 'If-None-Match: * makes no sense for a delete.');
      }
      return receiptResponse(c, await holdfast.delete(collection, entry.key, options), options.durability);
    },
};
