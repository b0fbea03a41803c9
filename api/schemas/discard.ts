import { z } from 'zod';
import type { DiscardResult } from '../../service/operations.ts';
import { collectionName, entryKey, version } from './entry.ts';
import { reason } from './reason.ts';

const MAX_ENTRIES = 1_000;

export const discardRequest = z
  .strictObject({
    entries: z
      .array(
        z.strictObject({
          collection: collectionName,
          key: entryKey,
          version: version
            .optional()
            .describe('Only this very write; else whatever the batch holds of the entry.'),
        }),
      )
      .min(1)
      .max(MAX_ENTRIES),
    reason,
  })
  .meta({ id: 'DiscardRequest', description: 'Which writes of a batch are given up, and why.' });

const outcome = z.enum(['discarded', 'already-persisted', 'already-listed', 'not-in-batch']).meta({
  description:
    '`discarded`: will never be in its row. `already-persisted`: its row has it, or a newer one; nothing was done. `already-listed`: was discarded or dead-lettered before. `not-in-batch`: nothing was done.',
});

export const discardResult = z
  .object({
    batchId: z.string(),
    entries: z.array(
      z.object({ collection: collectionName, key: entryKey, version: version.nullable(), outcome }),
    ),
    cacheTold: z.boolean().meta({
      description:
        '`false`: readers may see the discarded value until the batch ends, or the request is repeated.',
    }),
    workflowTold: z.boolean().meta({
      description:
        '`false`: the Temporal Web UI counts the writes as pending until the batch ends, or the request is repeated.',
    }),
  })
  .meta({
    id: 'DiscardResult',
    description: 'What became of each entry.',
  }) satisfies z.ZodType<DiscardResult>;
