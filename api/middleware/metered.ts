import type { RequestMeter } from '../../telemetry/metrics.ts';
import type { ApiContext } from '../api-env.ts';

/**
 * Tells the meter of every answer: how long it took, up to the point where it is handed over to be sent, and what it was. An
 * error becomes its answer here, since only then its status is known.
 */
export function metered(
  meter: RequestMeter,
  handler: (c: ApiContext) => Response | Promise<Response>,
  onError: (error: Error, c: ApiContext) => Response,
): (c: ApiContext) => Promise<Response> {
  return async (c) => {
    const began = performance.now();
    let response: Response;
    try {
      response = await handler(c);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      response = onError(error, c);
    }
    meter(response.status, (performance.now() - began) / 1_000, c.env.problem);
    return response;
  };
}
