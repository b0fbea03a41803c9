import { callerOf } from '../access.ts';
import { type Caller, mayUse } from '../caller.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

/** `GET /v1/collections`: those of the collections file that the caller may read or write, in its order. */
export const listCollections: Route = {
  method: 'get',
  path: '/v1/collections',
  effect: 'read',
  access: 'read',
  handler: ({ holdfast }) => {
    const jsonFor = (caller: Caller) =>
      JSON.stringify({
        collections: [...holdfast.collections.values()].filter(
          ({ name }) => mayUse(caller, 'read', name) || mayUse(caller, 'write', name),
        ),
      });
    return async (c) => jsonResponse(c, jsonFor(callerOf(c)));
  },
};
