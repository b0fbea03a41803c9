import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

/** `GET /v1/collections`: those of the collections file, in its order. They never change while the process runs. */
export const listCollections: Route = {
  method: 'get',
  path: '/v1/collections',
  effect: 'read',
  access: 'read',
  handler: ({ holdfast }) => {
    const json = JSON.stringify({ collections: [...holdfast.collections.values()] });
    return async (c) => jsonResponse(c, json);
  },
};
