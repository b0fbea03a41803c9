import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

/** `GET /livez`: the process answers. Says nothing of what it depends on, so that an outage there restarts nobody. */
export const livez: Route = {
  method: 'get',
  path: '/livez',
  effect: 'read',
  access: 'public',
  probe: true,
  handler: () => async (c) => jsonResponse(c, '{"status":"alive"}'),
};
