import type { Route } from './route.ts';
import { deleteEntry } from './routes/delete-entry.ts';
import { discardDeadLetter } from './routes/discard-dead-letter.ts';
import { discardWrites } from './routes/discard-writes.ts';
import { docsAsset } from './routes/docs-asset.ts';
import { docsPage } from './routes/docs-page.ts';
import { explainEntry } from './routes/explain-entry.ts';
import { getSummary } from './routes/get-summary.ts';
import { incrementEntry } from './routes/increment-entry.ts';
import { invalidateEntries } from './routes/invalidate-entries.ts';
import { listCollections } from './routes/list-collections.ts';
import { listDeadLetters } from './routes/list-dead-letters.ts';
import { listEntries } from './routes/list-entries.ts';
import { livez } from './routes/livez.ts';
import { openApiJson } from './routes/openapi-json.ts';
import { patchEntry } from './routes/patch-entry.ts';
import { postBatch } from './routes/post-batch.ts';
import { putEntry } from './routes/put-entry.ts';
import { readEntry } from './routes/read-entry.ts';
import { readMany } from './routes/read-many.ts';
import { readyz } from './routes/readyz.ts';
import { retryDeadLetter } from './routes/retry-dead-letter.ts';

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
  discardWrites,
  listDeadLetters,
  retryDeadLetter,
  discardDeadLetter,
  readyz,
  livez,
  openApiJson(() => ROUTES),
  docsPage,
  docsAsset,
];
