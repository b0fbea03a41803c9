import type { Route } from './route.ts';
import { decodePayloads, encodePayloads } from './routes/codec.ts';
import { consoleAsset } from './routes/console-asset.ts';
import { consolePage, consoleSlash } from './routes/console-page.ts';
import { correctDeadLetter } from './routes/correct-dead-letter.ts';
import { deleteEntry } from './routes/delete-entry.ts';
import { discardDeadLetter } from './routes/discard-dead-letter.ts';
import { discardWrites } from './routes/discard-writes.ts';
import { docsAsset } from './routes/docs-asset.ts';
import { docsPage } from './routes/docs-page.ts';
import { drain, resume } from './routes/drain.ts';
import { events } from './routes/events.ts';
import { explainEntry } from './routes/explain-entry.ts';
import { flush } from './routes/flush.ts';
import { getSummary } from './routes/get-summary.ts';
import { incrementEntry } from './routes/increment-entry.ts';
import { invalidateEntries } from './routes/invalidate-entries.ts';
import { listActions } from './routes/list-actions.ts';
import { listBatches } from './routes/list-batches.ts';
import { listCollections } from './routes/list-collections.ts';
import { listDeadLetters } from './routes/list-dead-letters.ts';
import { listEntries } from './routes/list-entries.ts';
import { livez } from './routes/livez.ts';
import { metrics } from './routes/metrics.ts';
import { openApiJson } from './routes/openapi-json.ts';
import { patchEntry } from './routes/patch-entry.ts';
import { postBatch } from './routes/post-batch.ts';
import { putEntry } from './routes/put-entry.ts';
import { readEntry } from './routes/read-entry.ts';
import { readMany } from './routes/read-many.ts';
import { readyz } from './routes/readyz.ts';
import { retryBatch } from './routes/retry-batch.ts';
import { retryDeadLetter } from './routes/retry-dead-letter.ts';
import { showBatch } from './routes/show-batch.ts';
import { showDeadLetter } from './routes/show-dead-letter.ts';

/** Every route, in the order of the OpenAPI document. */
export const ROUTES: readonly Route[] = [
  putEntry,
  patchEntry,
  readEntry,
  deleteEntry,
  incrementEntry,
  explainEntry,
  postBatch,
  readMany,
  listEntries,
  invalidateEntries,
  listCollections,
  getSummary,
  listBatches,
  showBatch,
  retryBatch,
  discardWrites,
  listDeadLetters,
  showDeadLetter,
  retryDeadLetter,
  correctDeadLetter,
  discardDeadLetter,
  decodePayloads,
  encodePayloads,
  flush,
  drain,
  resume,
  events,
  listActions,
  consolePage,
  consoleSlash,
  consoleAsset,
  readyz,
  livez,
  metrics,
  openApiJson(() => ROUTES),
  docsPage,
  docsAsset,
];
