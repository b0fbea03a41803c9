import { callerOf } from '../access.ts';
import { type Caller, mayUse } from '../caller.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { collectionList } from '../schemas/collection.ts';
import type { Shape } from '../schemas/shape.ts';

/** `GET /v1/collections`: those of the collections file that the caller may read or write, in its order. */
export const listCollections: Route = {
  method: 'get',
  path: '/v1/collections',
  effect: 'read',
  access: 'read',
  operation: {
    id: 'listCollections',
    tag: 'Collections',
    summary: 'List the configured collections',
    answers: { 200: { description: 'The collections.', schema: collectionList } },
    problems: [],
  },
  handler: ({ holdfast }) => {
    const listFor = (caller: Caller) =>
      ({
        collections: [...holdfast.collections.values()].filter(
          ({ name }) => mayUse(caller, 'read', name) || mayUse(caller, 'write', name),
        ),
      }) satisfies Shape<typeof collectionList>;
    return async (c) => jsonResponse(c, JSON.stringify(listFor(callerOf(c))));
  },
};
