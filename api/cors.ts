import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Environment } from '../config/environment.ts';

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
  { forWebUi = false }: { readonly forWebUi?: boolean } = {},
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const allowed = new Set(origins);
  return (request, response) => {
    const { origin } = request.headers;
    // Shared caches must not give one origin's answer to another, or to none.
    response.setHeader('vary', 'origin');
    if (origin === undefined || !allowed.has(origin)) return false;
    response.setHeader('access-control-allow-origin', origin);
    // Its codec endpoint may be called with the cookies of a proxy in front that knows who comes.
    if (forWebUi) response.setHeader('access-control-allow-credentials', 'true');
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      response
        .writeHead(204, {
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': forWebUi ? `${REQUEST_HEADERS}, x-namespace` : REQUEST_HEADERS,
          'access-control-max-age': REMEMBER_S,
        })
        .end();
      return true;
    }
    response.setHeader('access-control-expose-headers', ANSWER_HEADERS);
    return false;
  };
}

/**
 * The origins that may call the codec endpoint: those of `CORS_ORIGINS`, and the Web UI of Temporal. On a loopback address
 * it goes by either name, depending on what was typed.
 */
export function codecOrigins(settings: Pick<Environment, 'CORS_ORIGINS' | 'TEMPORAL_UI_URL'>): string[] {
  const { origin, protocol, hostname, port } = new URL(settings.TEMPORAL_UI_URL);
  const loopback = hostname === '127.0.0.1' || hostname === 'localhost';
  const names = loopback
    ? ['127.0.0.1', 'localhost'].map((name) => new URL(`${protocol}//${name}:${port}`).origin)
    : [origin];
  return [...settings.CORS_ORIGINS, ...names];
}
