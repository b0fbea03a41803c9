import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { liveness } from '../schemas/health.ts';

/** `GET /livez`: the process answers. Says nothing of what it depends on, so that an outage there restarts nobody. */
export const livez: Route = {
  method: 'get',
  path: '/livez',
  effect: 'read',
  access: 'public',
  probe: true,
  operation: {
    id: 'getLiveness',
    tag: 'Probes',
    summary: 'Whether this process answers',
    description: 'Says nothing of what it depends on, so that an outage there restarts nobody.',
    answers: { 200: { description: 'It does.', schema: liveness } },
    problems: [],
  },
  handler: () => async (c) => jsonResponse(c, '{"status":"alive"}'),
};
