import type { ApiHandler } from '../api-env.ts';
import { type BodyBudget, giveBytesBack } from '../body-budget.ts';
import { problemResponse } from '../problem.ts';
import type { Route } from '../route.ts';

export interface InFlightLimits {
  readonly MAX_REQUESTS_IN_FLIGHT: number;
  readonly MAX_BODY_BYTES_IN_FLIGHT: number;
}

/** Of all routes of operators together: a few people, their pages and their tools ask there. */
const OPERATORS: InFlightLimits = {
  MAX_REQUESTS_IN_FLIGHT: 100,
  MAX_BODY_BYTES_IN_FLIGHT: 64 * 1024 * 1024,
};

/**
 * Bounds the requests that are being worked on: past the bound the answer is 503 at once, without reading the body; and past
 * the bytes that bodies may have together, without reading the rest. A write may wait for the queue until its deadline, so
 * reads, which wait for nothing of the kind, have places of their own; and so have operators, who mend what writes wait for.
 * Wraps handlers instead of being a Hono middleware: a route with one handler needs no chain of them.
 */
export function createPlaces(limits: InFlightLimits): (route: Route, handler: ApiHandler) => ApiHandler {
  const reads = places(limits, 'reads');
  const writes = places(limits, 'writes');
  const operators = places(OPERATORS, 'requests of operators');
  return (route, handler) => {
    // Probes are answered however busy the process is.
    if (route.probe === true) return handler;
    if (route.access === 'read') return reads(route, handler);
    return route.access === 'write' ? writes(route, handler) : operators(route, handler);
  };
}

/** The places that some routes share, and the bytes of their bodies. */
function places(limits: InFlightLimits, what: string): (route: Route, handler: ApiHandler) => ApiHandler {
  const { MAX_REQUESTS_IN_FLIGHT: max, MAX_BODY_BYTES_IN_FLIGHT: maxBytes } = limits;
  const undone = 'Nothing of this one was done; try again.';
  const detail = `This process already works on ${max} ${what}, as many as it may at once. ${undone}`;
  const bodies: BodyBudget = {
    maxBytes,
    detail: `The bodies of the ${what} that this process works on have ${maxBytes} bytes, as many as it may hold. ${undone}`,
    heldBytes: 0,
  };
  let taken = 0;
  return ({ operation }, handler) => {
    const takesBody = operation?.body !== undefined;
    return async (c, deadlineAt) => {
      if (taken >= max) return problemResponse(c, { code: 'overloaded', detail });
      taken += 1;
      if (takesBody) c.env.bodies = bodies;
      try {
        return await handler(c, deadlineAt);
      } finally {
        taken -= 1;
        if (takesBody) giveBytesBack(c.env, bodies);
      }
    };
  };
}
