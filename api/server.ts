import { createServer, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { ApiDeps } from './api-env.ts';
import { createApp } from './app.ts';
import { answerClientError } from './client-error.ts';
import { codecOrigins, createCors } from './cors.ts';
import { handleHeadAsGet } from './head.ts';
import { answerBrokenRequest } from './middleware/errors.ts';
import { endUnread } from './unread.ts';

/** Longer than the 60 s after which common load balancers drop an idle connection: the side that sends should be first. */
const KEEP_ALIVE_MS = 65_000;
const HEADERS_MS = 10_000;
/** A key of 512 bytes has at most 1.5 KB in a path. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Far longer than a network that works keeps silent, and short enough that a few hundred unread answers hold no memory for good. */
const UNREAD_MS = 30_000;
const SWEEP_MS = 50;
const MAX_ACCEPT_MS = 500;

/** The HTTP server of the API, not yet listening. */
export function createApiServer(deps: ApiDeps): Server {
  const listener = getRequestListener(createApp(deps).fetch, {
    // For HTTP/1.0, which needs no Host.
    hostname: 'localhost',
    errorHandler: answerBrokenRequest(deps.log),
  });
  const { CORS_ORIGINS } = deps.settings;
  const cors = CORS_ORIGINS.length === 0 ? undefined : createCors(CORS_ORIGINS);
  const codecCors = createCors(codecOrigins(deps.settings), { forWebUi: true });
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      // Bodies have the request's own deadline, and a better answer: this is for those that no route reads.
      requestTimeout: HEADERS_MS + deps.limits.REQUEST_DEADLINE_MS,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => {
      const answered = request.url?.startsWith('/codec/') ? codecCors : cors;
      if (answered?.(request, response)) return;
      handleHeadAsGet(request);
      void listener(request, response);
    },
  );
  endUnread(server, UNREAD_MS);
  return server.on('clientError', answerClientError(MAX_HEADER_BYTES));
}

/** From now on each connection ends with its next answer: a client that keeps it alive connects again, elsewhere. */
export function endConnections(server: Server): void {
  server.prependListener('request', (_, response) => {
    response.shouldKeepAlive = false;
  });
}

/**
 * Takes no new connections, lets the requests under way finish, and cuts off what is left after `patienceMs`.
 * `server.close()` alone would wait for connections that are kept alive.
 */
export async function stopServer(server: Server, patienceMs: number): Promise<void> {
  endConnections(server);
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const cut = setTimeout(() => server.closeAllConnections(), patienceMs);
  await nobodyWaits(server, MAX_ACCEPT_MS);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearInterval(sweep);
  clearTimeout(cut);
}

/**
 * Waits until the event loop found nobody who waits to be accepted: it takes one connection a turn, and when a server
 * closes, the kernel resets those that it has taken and the process has not.
 */
async function nobodyWaits(server: Server, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  let accepted = true;
  const note = () => {
    accepted = true;
  };
  server.on('connection', note);
  while (accepted && performance.now() < until) {
    accepted = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.off('connection', note);
}
