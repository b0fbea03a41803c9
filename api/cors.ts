import type { IncomingMessage, ServerResponse } from 'node:http';

const METHODS = 'GET, HEAD, PUT, PATCH, POST, DELETE';
const REQUEST_HEADERS =
  'authorization, content-type, if-match, if-none-match, prefer, idempotency-key, x-request-id';
const ANSWER_HEADERS =
  'etag, retry-after, x-request-id, preference-applied, idempotent-replayed, cache-status, ratelimit, ratelimit-policy';
/** How long a browser may remember the answer to a preflight, in seconds: the most that Chromium takes. */
const REMEMBER_S = '7200';

/**
 * Lets pages of these origins call the API from a browser: CORS as the Fetch standard has it. Sets what belongs to it on
 * every answer, and answers preflights itself: then it answers true. A page of another origin gets what it would get
 * without any of this, which its browser does not show it.
 *
 * Beside the routes, since answers that come from none need it too; and without it nothing is paid for it.
 */
export function createCors(
  origins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const allowed = new Set(origins);
  return (request, response) => {
    const { origin } = request.headers;
    // Shared caches must not give one origin's answer to another, or to none.
    response.setHeader('vary', 'origin');
    if (origin === undefined || !allowed.has(origin)) return false;
    response.setHeader('access-control-allow-origin', origin);
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      response
        .writeHead(204, {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': REQUEST_HEADERS,
          'access-control-max-age': REMEMBER_S,
        })
        .end();
      return true;
    }
    response.setHeader('access-control-expose-headers', ANSWER_HEADERS);
    return false;
  };
}
