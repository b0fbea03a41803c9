import type { Tracing } from '../../telemetry/tracing.ts';
import type { ApiContext } from '../api-env.ts';
import { pathTemplate, type Route } from '../route.ts';
import { requestId } from './request-id.ts';

/** Makes a request part of a trace. */
export function traced(
  tracing: Tracing,
  route: Route,
  handler: (c: ApiContext) => Promise<Response>,
): (c: ApiContext) => Promise<Response> {
  const method = route.method.toUpperCase();
  const template = pathTemplate(route.path);
  return (c) => {
    const { headers } = c.env.incoming;
    return tracing.request({ method, template, requestId: requestId(c.env), headers }, () => handler(c));
  };
}
