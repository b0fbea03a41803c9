import type { ApiContext } from './api-env.ts';
import { requestId } from './middleware/request-id.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** An answer of the moment, which nobody should keep. `json` is JSON text. */
export function jsonResponse(c: ApiContext, json: string, status = 200): Response {
  return new Response(json, {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-request-id': requestId(c.env),
      ...SECURITY_HEADERS,
    },
  });
}
