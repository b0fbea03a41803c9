import { collectionNamed } from '../collection.ts';
import { jsonResponse } from '../json-response.ts';
import { readKeys } from '../key-list.ts';
import type { Route } from '../route.ts';
import { invalidation } from '../schemas/invalidation.ts';
import { keyList } from '../schemas/read-many.ts';

/** `POST /v1/collections/{collection}/invalidate`: rows were changed by SQL. */
export const invalidateEntries: Route = {
  method: 'post',
  path: '/v1/collections/:collection/invalidate',
  effect: 'write',
  access: 'write',
  operation: {
    id: 'invalidateEntries',
    tag: 'Entries',
    summary: 'Tell Holdfast that rows were changed by SQL',
    description:
      'Send it after the SQL transaction has committed. Cached copies are dropped and the rows get new versions, so that every reader sees them as they are, and no ETag stands for two values. A write that waits for PostgreSQL stays newer than the row. May be repeated.',
    body: {
      type: 'application/json',
      required: true,
      schema: keyList,
      examples: { 'two keys': { keys: ['o-1', 'o-2'] } },
    },
    answers: {
      200: {
        description: 'What became of each entry.',
        schema: invalidation,
        example: {
          entries: [
            { key: 'o-1', outcome: 'invalidated', version: 1_790_000_000_000_000 },
            { key: 'o-2', outcome: 'absent', version: null },
          ],
        },
      },
    },
    problems: [
      'collection-not-found',
      'value-too-large',
      'dependency-unavailable',
      'outcome-unknown',
      'deadline-exceeded',
    ],
  },
  handler:
    ({ holdfast, limits }) =>
    async (c, deadlineAt) => {
      const collection = collectionNamed(holdfast.collections, c.req.param('collection') ?? '');
      const keys = await readKeys(c, { maxKeys: limits.MAX_READ_KEYS, deadlineAt });
      const entries = await holdfast.invalidate(collection, keys, { deadlineAt });
      return jsonResponse(c, JSON.stringify({ entries }));
    },
};
