import type { ApiHandler } from '../api-env.ts';
import { problemResponse } from '../problem.ts';
import type { Route } from '../route.ts';

/** Of all routes of operators together: a few people, their pages and their tools ask there. */
const OPERATORS_IN_FLIGHT = 100;

/**
 * Bounds the requests that are being worked on: past the bound the answer is 503 at once, without reading the body. A write
 * may wait for the queue until its deadline, so reads, which wait for nothing of the kind, have places of their own; and so
 * have operators, who mend what writes wait for. Wraps handlers instead of being a Hono middleware: a route with one handler
 * needs no chain of them.
 */
export function createPlaces({
  MAX_REQUESTS_IN_FLIGHT: max,
}: {
  readonly MAX_REQUESTS_IN_FLIGHT: number;
}): (route: Route, handler: ApiHandler) => ApiHandler {
  const reads = places(max, 'reads, as many as MAX_REQUESTS_IN_FLIGHT allows');
  const writes = places(max, 'writes, as many as MAX_REQUESTS_IN_FLIGHT allows');
  const operators = places(OPERATORS_IN_FLIGHT, 'requests of operators');
  return ({ access, probe }, handler) => {
    // Probes are answered however busy the process is.
    if (probe === true) return handler;
    if (access === 'read') return reads(handler);
    return access === 'write' ? writes(handler) : operators(handler);
  };
}

/** The places that some routes share. */
function places(max: number, what: string): (handler: ApiHandler) => ApiHandler {
  let taken = 0;
  const detail = `This process already works on ${max} ${what}. Nothing of this one was done; try again.`;
  return (handler) => async (c, deadlineAt) => {
    if (taken >= max) return problemResponse(c, { code: 'overloaded', detail });
    taken += 1;
    try {
      return await handler(c, deadlineAt);
    } finally {
      taken -= 1;
    }
  };
}
