import { z } from 'zod';
import { requestId } from '../middleware/request-id.ts';
import type { Route } from '../route.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

/** `GET /metrics`: the figures of this process, and those that all processes share, for Prometheus. */
export const metrics: Route = {
  method: 'get',
  path: '/metrics',
  effect: 'read',
  access: 'metrics',
  probe: true,
  operation: {
    id: 'getMetrics',
    tag: 'Probes',
    summary: 'Figures for Prometheus',
    description:
      'In the text format of Prometheus. Names of collections are in it, keys and values never. Figures that all processes share are the same on each: use `max()`.',
    answers: {
      200: {
        description: 'The metrics. What could not be learnt within two seconds is left out.',
        type: 'text/plain',
        schema: z.string(),
      },
    },
    problems: [],
  },
  handler:
    ({ metrics: { scrape } }) =>
    async (c) =>
      new Response(await scrape(), {
        headers: {
          'content-type': 'text/plain; version=0.0.4; charset=utf-8',
          'cache-control': 'no-store',
          'x-request-id': requestId(c.env),
          ...SECURITY_HEADERS,
        },
      }),
};
