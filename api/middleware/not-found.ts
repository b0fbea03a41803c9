import type { Hono } from 'hono';
import type { ApiContext, ApiEnv } from '../api-env.ts';
import { rawPath } from '../path.ts';
import { problemResponse } from '../problem.ts';

const METHODS = ['GET', 'PUT', 'PATCH', 'DELETE', 'POST'] as const;

/** `405` with `Allow` where the path has routes for other methods, else `404`: asked of the router, so never out of date. */
export function answerNotFound(app: Hono<ApiEnv>): (c: ApiContext) => Response {
  return (c) => {
    const path = rawPath(c.env.incoming.url ?? '/');
    const allowed = METHODS.filter((method) => app.router.match(method, path)[0].length > 0);
    if (allowed.length === 0) {
      return problemResponse(c, {
        code: 'route-not-found',
        detail: 'Paths are case-sensitive and have no trailing slash; a "/" in a key is written as %2F.',
      });
    }
    const allow = allowed.join(', ').replace('GET', 'GET, HEAD');
    return problemResponse(c, {
      code: 'method-not-allowed',
      detail: `This path knows ${allow}.`,
      headers: { allow },
    });
  };
}
