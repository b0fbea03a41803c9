import { Hono } from 'hono';
import type { ApiDeps, ApiEnv, ApiHandler } from './api-env.ts';
import { withDeadline } from './middleware/deadline.ts';
import { answerError } from './middleware/errors.ts';
import { inFlightLimit } from './middleware/in-flight.ts';
import { answerNotFound } from './middleware/not-found.ts';
import { rawPath } from './path.ts';
import { deleteEntry } from './routes/delete-entry.ts';
import { discardDeadLetter } from './routes/discard-dead-letter.ts';
import { discardWrites } from './routes/discard-writes.ts';
import { explainEntry } from './routes/explain-entry.ts';
import { incrementEntry } from './routes/increment-entry.ts';
import { listCollections } from './routes/list-collections.ts';
import { listDeadLetters } from './routes/list-dead-letters.ts';
import { livez } from './routes/livez.ts';
import { putEntry } from './routes/put-entry.ts';
import { readEntry } from './routes/read-entry.ts';
import { readyz } from './routes/readyz.ts';
import { retryDeadLetter } from './routes/retry-dead-letter.ts';

const COLLECTIONS = '/v1/collections';
const OPS = '/ops/v1';
const ENTRY = `${COLLECTIONS}/:collection/entries/:key`;

/**
 * Every route, on the path as it came over the wire. One handler to a route and headers set once: Hono runs those without
 * a chain of middleware, and the adapter writes them without building a `Headers` object.
 */
export function createApp(deps: ApiDeps): Hono<ApiEnv> {
  const { limits, log } = deps;
  const app = new Hono<ApiEnv>({ getPath: (_, options) => rawPath(options?.env?.incoming.url ?? '/') });
  const deadline = { limitMs: limits.REQUEST_DEADLINE_MS, log };
  const limited = inFlightLimit(limits.MAX_REQUESTS_IN_FLIGHT);
  const reading = (handler: ApiHandler) => withDeadline(deadline, 'read', limited(handler));
  const writing = (handler: ApiHandler) => withDeadline(deadline, 'write', limited(handler));

  app.get(ENTRY, reading(readEntry(deps)));
  app.put(ENTRY, writing(putEntry(deps)));
  app.delete(ENTRY, writing(deleteEntry(deps)));
  app.post(`${ENTRY}/increment`, writing(incrementEntry(deps)));
  app.get(`${ENTRY}/explanation`, reading(explainEntry(deps)));
  app.get(COLLECTIONS, reading(listCollections(deps)));

  app.post(`${OPS}/batches/:workflowId/discard`, writing(discardWrites(deps)));
  app.get(`${OPS}/dead-letters`, reading(listDeadLetters(deps)));
  app.post(`${OPS}/dead-letters/:id/retry`, writing(retryDeadLetter(deps)));
  app.post(`${OPS}/dead-letters/:id/discard`, writing(discardDeadLetter(deps)));

  // Probes are answered however busy the process is.
  app.get('/livez', livez);
  app.get('/readyz', withDeadline(deadline, 'read', readyz(deps)));

  app.notFound(answerNotFound(app));
  app.onError(answerError(log));
  return app;
}
