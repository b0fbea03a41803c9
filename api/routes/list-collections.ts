import type { ApiDeps, ApiHandler } from '../api-env.ts';
import { jsonResponse } from '../json-response.ts';

/** `GET /v1/collections`: those of the collections file, in its order. They never change while the process runs. */
export function listCollections({ holdfast }: ApiDeps): ApiHandler {
  const json = JSON.stringify({ collections: [...holdfast.collections.values()] });
  return async (c) => jsonResponse(c, json);
}
