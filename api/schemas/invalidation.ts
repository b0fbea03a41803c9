import { z } from 'zod';
import type { InvalidatedEntry } from '../../service/holdfast.ts';
import { entryKey, version } from './entry.ts';

const invalidatedEntry = z
  .object({
    key: entryKey,
    outcome: z
      .enum(['invalidated', 'pending', 'absent'])
      .describe(
        '`invalidated`: readers see the row as it is, under a new version. `pending`: a newer write is on its way to the row and stays the newest; what SQL changed will be replaced by it. `absent`: there is no row.',
      ),
    version: version
      .nullable()
      .describe('The new version of the row, or that of the pending write; `null` where there is no row.'),
  })
  .meta({ id: 'InvalidatedEntry' }) satisfies z.ZodType<InvalidatedEntry>;

export const invalidation = z
  .object({ entries: z.array(invalidatedEntry) })
  .meta({ id: 'Invalidation', description: 'What became of each entry, in the order of the request.' });
