import { readJsonText } from '../body.ts';
import { collectionNamed } from '../collection.ts';
import { withIdempotencyKey } from '../idempotency-key.ts';
import { counterDigits, documentText, requireJsonText } from '../json-value.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { jsonValue } from '../schemas/json-value.ts';
import { receipt } from '../schemas/receipt.ts';
import { RECEIPT, RECEIPT_HEADERS, WRITE_PROBLEMS } from '../write-operation.ts';
import { writeOptions } from '../write-options.ts';

/** `PUT /v1/collections/{collection}/entries/{key}`: sets the value; the body is any JSON value, or a counter's integer. */
export const putEntry: Route = {
  method: 'put',
  path: ENTRY_PATH,
  effect: 'write',
  access: 'write',
  operation: {
    id: 'putEntry',
    tag: 'Entries',
    summary: 'Set the value of an entry',
    description:
      'The body is the value: any JSON value, or the integer of a counter. How safe the write is when the answer comes, `state` says.',
    headers: ['prefer', 'if-match', 'if-none-match', 'idempotency-key'],
    body: {
      type: 'application/json',
      required: true,
      schema: jsonValue,
      examples: {
        'a cart': { items: ['tea', 'honey'], note: null },
        'a list': [1, 2.5, 'three'],
        'a text': 'any JSON value will do',
      },
    },
    answers: {
      200: { description: 'Persisted.', schema: receipt, headers: RECEIPT_HEADERS },
      201: { description: 'Persisted, and the entry is new.', schema: receipt, headers: RECEIPT_HEADERS },
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
    ({ holdfast, limits }) =>
    async (c, deadlineAt) => {
      const { incoming } = c.env;
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      const options = writeOptions(incoming.headers, deadlineAt);
      const maxBytes = limits.MAX_VALUE_BYTES;
      const text = await readJsonText(c.env, { maxBytes, deadlineAt });
      const growth = requireJsonText(text);
      const value =
        collection.kind === 'counter' ? counterDigits(text) : documentText(text, growth, maxBytes);
      const once = withIdempotencyKey(options, incoming.headers, entry, 'put', value);
      return receiptResponse(c, await holdfast.put(collection, entry.key, value, once), options.durability);
    },
};
