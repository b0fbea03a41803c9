import type { ApiContext } from '../api-env.ts';
import { jsonResponse } from '../json-response.ts';

/** `GET /livez`: the process answers. Says nothing of what it depends on, so that an outage there restarts nobody. */
export function livez(c: ApiContext): Response {
  return jsonResponse(c, '{"status":"alive"}');
}
