import { z } from 'zod';
import { collectionName, counterInteger, entryKey, version } from './entry.ts';
import { jsonValue } from './json-value.ts';
import { counterReceipt, receipt } from './receipt.ts';

/** The setting MAX_BATCH_OPERATIONS can be no higher. */
const MOST_OPERATIONS = 1_000;

const entry = { collection: collectionName, key: entryKey };
const condition = {
  ifMatch: version
    .optional()
    .describe(
      'Only if the entry still has this version: that of a receipt, a read, or an `ETag` without its quotes.',
    ),
};

const operation = z.discriminatedUnion(
  'op',
  [
    z.strictObject({ op: z.literal('put'), ...entry, value: jsonValue, ...condition }),
    z.strictObject({ op: z.literal('delete'), ...entry, ...condition }),
    z.strictObject({ op: z.literal('increment'), ...entry, by: counterInteger.optional(), ...condition }),
  ],
  {
    error: (issue) => (issue.code === 'invalid_union' ? 'must be "put", "delete" or "increment"' : undefined),
  },
);

export const batchRequest = z
  .strictObject({
    operations: z.array(operation).min(1).max(MOST_OPERATIONS),
    atomic: z
      .boolean()
      .optional()
      .describe('All or nothing, in one transaction: only for collections that are written through.'),
  })
  .meta({
    id: 'BatchRequest',
    description:
      'Writes, in order. Not more than the setting MAX_BATCH_OPERATIONS, in a body of not more than MAX_BATCH_BYTES.',
  });

const status = z
  .union([z.literal(200), z.literal(201), z.literal(202)])
  .describe('What a request of its own would have been answered.');
const written = receipt.extend({ status }).meta({ id: 'BatchReceipt', description: 'What a write reached.' });
const counted = counterReceipt
  .extend({ status })
  .meta({ id: 'BatchCounterReceipt', description: 'What an increment reached, and the value it left.' });

const notWritten = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.string().describe('As in problem details: what tells a problem from a receipt.'),
    requestId: z.string(),
    dependency: z.string().optional(),
    currentVersion: z.int().min(0).optional(),
    retryAfterSeconds: z.int().min(1).optional().describe('What `Retry-After` would say.'),
  })
  .meta({ id: 'BatchProblem', description: 'Why one operation did not happen, or may not have.' });

export const batchResult = z
  .object({ results: z.array(z.union([counted, written, notWritten])) })
  .meta({ id: 'BatchResult', description: 'What became of each operation, in their order.' });
