import type { DependencyHealth } from '../../service/holdfast.ts';
import { jsonResponse } from '../json-response.ts';
import type { Route } from '../route.ts';

/** Probes that come closer together than this share one look at the dependencies, in ms. */
const KEEP_MS = 500;

/**
 * `ready`; `degraded`: something is down, and all that works without it goes on, so requests should keep coming;
 * `unavailable`: next to nothing works; `stopping`: the process is on its way down.
 */
type Readiness = 'ready' | 'degraded' | 'unavailable' | 'stopping';

/** `GET /readyz`: each dependency, with what still works without it. `503` where requests should go elsewhere. */
export const readyz: Route = {
  method: 'get',
  path: '/readyz',
  effect: 'read',
  access: 'public',
  probe: true,
  handler: ({ holdfast, stopping }) => {
    let health: Promise<readonly DependencyHealth[]> | undefined;
    let askedAt = 0;
    return async (c) => {
      if (health === undefined || performance.now() - askedAt > KEEP_MS) {
        askedAt = performance.now();
        health = holdfast.health();
      }
      const dependencies = await health;
      const status = stopping.aborted ? 'stopping' : readiness(dependencies);
      const code = status === 'ready' || status === 'degraded' ? 200 : 503;
      return jsonResponse(c, JSON.stringify({ status, dependencies }), code);
    };
  },
};

/** Any one of them may be down, once the service has begun; Redis together with another leaves nothing to offer. */
function readiness(dependencies: readonly DependencyHealth[]): Readiness {
  if (dependencies.some(({ stopsAll }) => stopsAll)) return 'unavailable';
  const down = new Set(dependencies.filter(({ ok }) => !ok).map(({ dependency }) => dependency));
  if (down.has('redis') && (down.has('postgres') || down.has('temporal'))) return 'unavailable';
  return down.size === 0 ? 'ready' : 'degraded';
}
