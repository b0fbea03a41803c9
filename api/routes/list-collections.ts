import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { collectionList } from '../schemas/collection.ts';
import type { Shape } from '../schemas/shape.ts';

/** `GET /v1/collections`: those of the collections file, in its order. They never change while the process runs. */
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
    const list = { collections: [...holdfast.collections.values()] } satisfies Shape<typeof collectionList>;
    const json = JSON.stringify(list);
    return async (c) => jsonResponse(c, json);
  },
};
