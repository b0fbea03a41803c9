import { Hono } from 'hono';
import { ROUTES } from './all-routes.ts';
import type { ApiDeps, ApiEnv, ApiHandler } from './api-env.ts';
import { withDeadline } from './middleware/deadline.ts';
import { answerError } from './middleware/errors.ts';
import { createGuard } from './middleware/guard.ts';
import { inFlightLimit } from './middleware/in-flight.ts';
import { metered } from './middleware/metered.ts';
import { answerNotFound } from './middleware/not-found.ts';
import { traced } from './middleware/traced.ts';
import { rawPath } from './path.ts';
import { pathTemplate, type Route } from './route.ts';

/**
 * Every route, on the path as it came over the wire. One handler to a route and headers set once: Hono runs those without
 * a chain of middleware, and the adapter writes them without building a `Headers` object.
 */
export function createApp(deps: ApiDeps): Hono<ApiEnv> {
  const { limits, log, metrics, tracing } = deps;
  const app = new Hono<ApiEnv>({ getPath: (_, options) => rawPath(options?.env?.incoming.url ?? '/') });
  const deadline = { limitMs: limits.REQUEST_DEADLINE_MS, log };
  const limited = inFlightLimit(limits.MAX_REQUESTS_IN_FLIGHT);
  const guard = createGuard(deps);
  // Probes are answered however busy the process is.
  const bounded = (route: Route, handler: ApiHandler) => (route.probe === true ? handler : limited(handler));

  const onError = answerError(log);

  for (const route of ROUTES) {
    const handler = guard(route, bounded(route, route.handler(deps)));
    const meter = metrics.route(route.method.toUpperCase(), pathTemplate(route.path));
    const timely = withDeadline(deadline, route.effect, handler);
    const followed = tracing === undefined || route.probe ? timely : traced(tracing, route, timely);
    app.on(route.method, route.path, metered(meter, followed, onError));
  }
  app.notFound(metered(metrics.route('any', 'none'), answerNotFound(app), onError));
  app.onError(onError);
  return app;
}
