import { Hono } from 'hono';
import { ROUTES } from './all-routes.ts';
import type { ApiDeps, ApiEnv } from './api-env.ts';
import { withDeadline } from './middleware/deadline.ts';
import { answerError } from './middleware/errors.ts';
import { createGuard } from './middleware/guard.ts';
import { createPlaces } from './middleware/in-flight.ts';
import { metered } from './middleware/metered.ts';
import { answerNotFound } from './middleware/not-found.ts';
import { traced } from './middleware/traced.ts';
import { rawPath } from './path.ts';
import { pathTemplate } from './route.ts';

/**
 * Every route, on the path as it came over the wire. One handler to a route and headers set once: Hono runs those without
 * a chain of middleware, and the adapter writes them without building a `Headers` object.
 */
export function createApp(deps: ApiDeps): Hono<ApiEnv> {
  const { limits, log, metrics, tracing } = deps;
  const app = new Hono<ApiEnv>({ getPath: (_, options) => rawPath(options?.env?.incoming.url ?? '/') });
  const deadline = { limitMs: limits.REQUEST_DEADLINE_MS, log };
  const placed = createPlaces(limits);
  const guard = createGuard(deps);
  const onError = answerError(log);

  for (const route of ROUTES) {
    const handler = guard(route, placed(route, route.handler(deps)));
    const meter = metrics.route(route.method.toUpperCase(), pathTemplate(route.path));
    const timely = withDeadline(deadline, route.effect, handler);
    const followed = tracing === undefined || route.probe ? timely : traced(tracing, route, timely);
    app.on(route.method, route.path, metered(meter, followed, onError));
  }
  app.notFound(metered(metrics.route('any', 'none'), answerNotFound(app), onError));
  app.onError(onError);
  return app;
}
