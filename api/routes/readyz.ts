import type { z } from 'zod';
import type { DependencyHealth } from '../../service/holdfast.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';
import { readiness, type readinessStatus } from '../schemas/health.ts';
import type { Shape } from '../schemas/shape.ts';

/** Probes that come closer together than this share one look at the dependencies, in ms. */
const KEEP_MS = 500;

type Readiness = z.infer<typeof readinessStatus>;

/** `GET /readyz`: each dependency, with what still works without it. `503` where requests should go elsewhere. */
export const readyz: Route = {
  method: 'get',
  path: '/readyz',
  effect: 'read',
  access: 'public',
  probe: true,
  operation: {
    id: 'getReadiness',
    tag: 'Probes',
    summary: 'Whether requests should come to this process',
    description:
      'Each dependency, what is wrong with it, and what still works without it and whatever else is down.',
    answers: {
      200: { description: '`ready` or `degraded`.', schema: readiness },
      503: { description: '`unavailable` or `stopping`: requests should go elsewhere.', schema: readiness },
    },
    problems: [],
  },
  handler: ({ holdfast, stopping }) => {
    let health: Promise<readonly [readonly DependencyHealth[], boolean | null]> | undefined;
    let askedAt = 0;
    return async (c) => {
      if (health === undefined || performance.now() - askedAt > KEEP_MS) {
        askedAt = performance.now();
        health = Promise.all([holdfast.health(), holdfast.operations.isDraining()]);
      }
      const [dependencies, draining] = await health;
      const status = stopping.aborted ? 'stopping' : readinessOf(dependencies);
      const code = status === 'ready' || status === 'degraded' ? 200 : 503;
      const answer = { status, draining, dependencies } satisfies Shape<typeof readiness>;
      return jsonResponse(c, JSON.stringify(answer), code);
    };
  },
};

/**
 * Any one of them may be down, once the service has begun; Redis together with another leaves nothing to offer. Search
 * attributes are for operators: no request needs them.
 */
function readinessOf(dependencies: readonly DependencyHealth[]): Readiness {
  if (dependencies.some(({ stopsAll }) => stopsAll)) return 'unavailable';
  const down = new Set(dependencies.filter(({ ok }) => !ok).map(({ dependency }) => dependency));
  down.delete('search-attributes');
  if (down.has('redis') && (down.has('postgres') || down.has('temporal'))) return 'unavailable';
  return down.size === 0 ? 'ready' : 'degraded';
}
