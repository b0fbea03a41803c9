import { HoldfastError } from '../../domain/errors.ts';
import { readJsonText } from '../body.ts';
import { collectionNamed } from '../collection.ts';
import { withIdempotencyKey } from '../idempotency-key.ts';
import { incrementBy } from '../json-value.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { writeOptions } from '../write-options.ts';

/** `{"by": n}` with room for white space. */
const MAX_BODY_BYTES = 1_024;

/** `POST …/{key}/increment`: adds to a counter; one that is absent counts from 0. */
export const incrementEntry: Route = {
  method: 'post',
  path: `${ENTRY_PATH}/increment`,
  effect: 'write',
  access: 'write',
  handler:
    ({ holdfast }) =>
    async (c, deadlineAt) => {
      const { incoming } = c.env;
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      if (collection.kind !== 'counter') {
        throw new HoldfastError(
          'invalid-request',
          'This collection holds documents: only counters can be incremented.',
        );
      }
      const options = writeOptions(incoming.headers, deadlineAt);
      const by = incrementBy(await readJsonText(incoming, { maxBytes: MAX_BODY_BYTES, deadlineAt }));
      const once = withIdempotencyKey(options, incoming.headers, entry, 'increment', String(by));
      return receiptResponse(
        c,
        await holdfast.increment(collection, entry.key, by, once),
        options.durability,
      );
    },
};
