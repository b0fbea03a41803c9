import { readJsonText } from '../body.ts';
import { collectionNamed } from '../collection.ts';
import { withIdempotencyKey } from '../idempotency-key.ts';
import { counterDigits, requireJsonText } from '../json-value.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { writeOptions } from '../write-options.ts';

/** `PUT /v1/collections/{collection}/entries/{key}`: sets the value; the body is any JSON value, or a counter's integer. */
export const putEntry: Route = {
  method: 'put',
  path: ENTRY_PATH,
  effect: 'write',
  access: 'write',
  handler:
    ({ holdfast, limits }) =>
    async (c, deadlineAt) => {
      const { incoming } = c.env;
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      const options = writeOptions(incoming.headers, deadlineAt);
      const text = await readJsonText(incoming, { maxBytes: limits.MAX_VALUE_BYTES, deadlineAt });
      requireJsonText(text);
      const value = collection.kind === 'counter' ? counterDigits(text) : text;
      const once = withIdempotencyKey(options, incoming.headers, entry, 'put', value);
      return receiptResponse(c, await holdfast.put(collection, entry.key, value, once), options.durability);
    },
};
