import { HoldfastError } from '../../domain/errors.ts';
import { readMergePatch } from '../body.ts';
import { collectionNamed } from '../collection.ts';
import { withIdempotencyKey } from '../idempotency-key.ts';
import { requireJsonText } from '../json-value.ts';
import { entryOf } from '../path.ts';
import { receiptResponse } from '../receipt.ts';
import { ENTRY_PATH, type Route } from '../route.ts';
import { jsonValue } from '../schemas/json-value.ts';
import { receipt } from '../schemas/receipt.ts';
import { RECEIPT, RECEIPT_HEADERS, WRITE_PROBLEMS } from '../write-operation.ts';
import { writeOptions } from '../write-options.ts';

/** `PATCH /v1/collections/{collection}/entries/{key}`: changes members of a document (RFC 7396). */
export const patchEntry: Route = {
  method: 'patch',
  path: ENTRY_PATH,
  effect: 'write',
  access: 'write',
  operation: {
    id: 'patchEntry',
    tag: 'Entries',
    summary: 'Change members of a document',
    description:
      'A merge patch (RFC 7396): members of the patch replace those of the document, `null` removes one, objects are merged member by member, and a patch that is no object replaces the document. What the patch does not name keeps its text, numbers beyond 2^53 included. Without `If-Match` it is merged again when somebody else was faster, so that patches of different members never undo each other.',
    headers: ['prefer', 'if-match', 'idempotency-key'],
    body: {
      type: 'application/merge-patch+json',
      required: true,
      schema: jsonValue,
      examples: {
        'set one member, remove another': { items: ['tea'], note: null },
        'inside a member': { address: { city: 'London' } },
      },
    },
    answers: {
      200: { description: 'Persisted.', schema: receipt, headers: RECEIPT_HEADERS },
      202: {
        description: 'Cached or queued, as `state` says.',
        schema: receipt,
        headers: RECEIPT_HEADERS,
        example: RECEIPT,
      },
    },
    problems: [...WRITE_PROBLEMS, 'entry-not-found', 'value-too-large', 'unsupported-media-type'],
  },
  handler:
    ({ holdfast, limits }) =>
    async (c, deadlineAt) => {
      const { incoming } = c.env;
      const entry = entryOf(c);
      const collection = collectionNamed(holdfast.collections, entry.collection);
      if (collection.kind !== 'document') {
        throw new HoldfastError(
          'invalid-request',
          'This collection holds counters: only documents can be patched.',
        );
      }
      const options = writeOptions(incoming.headers, deadlineAt);
      if (options.condition !== undefined && 'ifAbsent' in options.condition) {
        throw new HoldfastError('invalid-request', 'If-None-Match: * makes no sense for a patch.');
      }
      const patch = await readMergePatch(c.env, { maxBytes: limits.MAX_VALUE_BYTES, deadlineAt });
      requireJsonText(patch);
      const once = withIdempotencyKey(options, incoming.headers, entry, 'patch', patch);
      return receiptResponse(c, await holdfast.patch(collection, entry.key, patch, once), options.durability);
    },
};
