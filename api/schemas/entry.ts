import { z } from 'zod';
import { ACKNOWLEDGEMENTS } from '../../domain/acknowledgement.ts';
import { COLLECTION_NAME, keyProblem, MAX_KEY_BYTES } from '../../domain/entry.ts';
import { MAX_VERSION } from '../../domain/version.ts';

export const collectionName = z.string().regex(COLLECTION_NAME).meta({
  id: 'CollectionName',
  description: 'The name of a configured collection.',
});

/** What `keyProblem` refuses, as far as JSON Schema can say it: that counts characters, and keys have at most 512 bytes. */
export const entryKey = z
  .string()
  .superRefine((key, check) => {
    const message = keyProblem(key);
    if (message !== undefined) check.addIssue({ code: 'custom', message });
  })
  .meta({
    id: 'EntryKey',
    description: `1–${MAX_KEY_BYTES} bytes of UTF-8 without control characters, and not "." or "..".`,
    minLength: 1,
    maxLength: MAX_KEY_BYTES,
    pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$',
    not: { enum: ['.', '..'] },
  });

export const version = z.int().min(1).max(MAX_VERSION).meta({
  id: 'Version',
  description: 'Orders the writes of an entry: a later one has a higher version. In quotes, it is the ETag.',
});

export const acknowledgement = z.enum(ACKNOWLEDGEMENTS).meta({
  id: 'Acknowledgement',
  description:
    'How safe a write is, weakest first. `cached`: in Redis, visible to every reader, on its way to the queue. `queued`: in the durable queue, it survives the loss of Redis. `persisted`: committed in PostgreSQL.',
});

/** The value of a counter, and what it may be changed by at once. */
export const counterInteger = z
  .int()
  .min(-Number.MAX_SAFE_INTEGER)
  .max(Number.MAX_SAFE_INTEGER)
  .meta({ id: 'CounterInteger', description: 'Within ±(2^53 − 1), written without fraction and exponent.' });
