import { HoldfastError } from '../../domain/errors.ts';
import { readJsonText } from '../body.ts';
import { collectionNamed } from '../collection.ts';
import { withIdempotencyKey } from '../idempotency-key.ts';
import { incrementBy } from '../json-value.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { incrementRequest } from '../schemas/increment.ts';
import { counterReceipt } from '../schemas/receipt.ts';
import { RECEIPT_HEADERS, WRITE_PROBLEMS } from '../write-operation.ts';
import { writeOptions } from '../write-options.ts';

/** Of the shipped collections, the one that holds counters. */
const COUNTER = { collection: 'page-views', key: 'home' };

/** `{"by": n}` with room for white space. */
const MAX_BODY_BYTES = 1_024;

/** `POST …/{key}/increment`: adds to a counter; one that is absent counts from 0. */
export const incrementEntry: Route = {
  method: 'post',
  path: `${ENTRY_PATH}/increment`,
  effect: 'write',
  access: 'write',
  operation: {
    id: 'incrementEntry',
    tag: 'Entries',
    summary: 'Add to a counter',
    description:
      'A counter that is absent counts from 0. An increment of a document is `400`, one that would leave the range of counters is `409` and changes nothing.',
    at: COUNTER,
    headers: ['prefer', 'if-match', 'if-none-match', 'idempotency-key'],
    body: {
      type: 'application/json',
      required: false,
      schema: incrementRequest,
      examples: { 'by two': { by: 2 }, 'by one': {}, down: { by: -1 } },
    },
    answers: {
      200: { description: 'Persisted.', schema: counterReceipt, headers: RECEIPT_HEADERS },
      201: {
        description: 'Persisted, and the counter is new.',
        schema: counterReceipt,
        headers: RECEIPT_HEADERS,
      },
      202: {
        description: 'Cached or queued, as `state` says.',
        schema: counterReceipt,
        headers: RECEIPT_HEADERS,
        example: { ...COUNTER, version: 1_790_000_000_000_000, state: 'cached', value: 2 },
      },
    },
    problems: [...WRITE_PROBLEMS, 'counter-overflow'],
  },
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
      const by = incrementBy(await readJsonText(c.env, { maxBytes: MAX_BODY_BYTES, deadlineAt }));
      const once = withIdempotencyKey(options, incoming.headers, entry, 'increment', String(by));
      return receiptResponse(
        c,
        await holdfast.increment(collection, entry.key, by, once),
        options.durability,
      );
    },
};
