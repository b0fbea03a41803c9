import { z } from 'zod';
import { entryKey, version } from './entry.ts';
import { jsonValue } from './json-value.ts';

const MAX_LISTED = 1_000;
const DEFAULT_LISTED = 100;

export const listingQuery = z.strictObject({
  after: entryKey.optional().describe('Only keys after this one: `next` of the page before.'),
  limit: z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(MAX_LISTED))
    .default(DEFAULT_LISTED)
    .describe('How many at most.'),
  prefix: entryKey.optional().describe('Only keys that begin with this.'),
});

export const listing = z
  .object({
    entries: z.array(z.object({ key: entryKey, value: jsonValue, version, updatedAt: z.iso.datetime() })),
    next: entryKey.nullable().describe('The `after` of the next page; `null` on the last one.'),
  })
  .meta({
    id: 'EntryListing',
    description: 'A page of entries as PostgreSQL has them, in the order of their keys.',
  });
