import type { ApiContext, ApiHandler } from '../api-env.ts';
import { problemResponse } from '../problem.ts';

/**
 * Bounds the requests that are being worked on, all routes together: past `max` the answer is 503 at once, without
 * reading the body. Wraps handlers instead of being a Hono middleware: a route with one handler needs no chain of them.
 */
export function inFlightLimit(max: number): (handler: ApiHandler) => ApiHandler {
  let inFlight = 0;
  return (handler) => async (c: ApiContext, deadlineAt: number) => {
    if (inFlight >= max) {
      return problemResponse(c, {
        code: 'overloaded',
        detail: `This process already works on ${max} requests. Nothing of this one was done.`,
      });
    }
    inFlight += 1;
    try {
      return await handler(c, deadlineAt);
    } finally {
      inFlight -= 1;
    }
  };
}
