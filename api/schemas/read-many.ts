import { z } from 'zod';
import { entryKey, version } from './entry.ts';
import { jsonValue } from './json-value.ts';

/** The setting MAX_READ_KEYS can be no higher. */
const MOST_KEYS = 1_000;

export const keyList = z
  .strictObject({ keys: z.array(entryKey).min(1).max(MOST_KEYS) })
  .meta({ id: 'KeyList', description: 'Keys of a collection, not more than the setting MAX_READ_KEYS.' });

export const manyEntries = z
  .object({
    entries: z.array(z.object({ key: entryKey, value: jsonValue, version })),
    missing: z.array(entryKey).describe('Keys of which there is no entry.'),
  })
  .meta({ id: 'ManyEntries', description: 'The entries, in the order in which they were asked for.' });
