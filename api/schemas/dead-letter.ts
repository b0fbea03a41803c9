import { z } from 'zod';
import { acknowledgement, collectionName, entryKey, version } from './entry.ts';
import { reason } from './reason.ts';

const time = z.iso.datetime();

export const deadLetter = z
  .object({
    id: z.int().min(1),
    collection: collectionName,
    key: entryKey,
    version,
    kind: z.enum(['document', 'counter']),
    partition: z.int().min(0),
    batchId: z.string(),
    value: z.string().nullable().meta({
      description: 'The text of the value, in a list its first 1,000 characters; `null` for a deletion.',
    }),
    valueLength: z.int().min(0).meta({ description: 'Of the whole text, in characters.' }),
    state: z.enum(['dead', 'discarded']).meta({
      description:
        '`dead`: PostgreSQL refused it, as `message` says. `discarded`: given up, as `reason` says.',
    }),
    sqlstate: z.string().nullable(),
    message: z.string().nullable(),
    reason: z.string().nullable(),
    decidedBy: z.string().nullable(),
    decidedAt: time.nullable(),
    createdAt: time,
  })
  .meta({ id: 'DeadLetter', description: 'A write that did not reach its row, and why.' });

export const deadLetterList = z
  .object({
    deadLetters: z.array(deadLetter),
    next: z.int().nullable().meta({ description: 'The `after` of the next page; `null` on the last one.' }),
  })
  .meta({ id: 'DeadLetterList', description: 'A page of dead letters, oldest first.' });

export const retriedDeadLetter = z
  .object({
    collection: collectionName,
    key: entryKey,
    version,
    state: acknowledgement.extract(['persisted']),
  })
  .meta({ id: 'RetriedDeadLetter', description: 'The write that is persisted now.' });

export const correctedDeadLetter = z
  .object({
    collection: collectionName,
    key: entryKey,
    version,
    state: acknowledgement,
    resolved: z.boolean().meta({
      description:
        'Whether the dead letter is given up for this write. `false`: repeat the request with the same value.',
    }),
  })
  .meta({ id: 'CorrectedDeadLetter', description: 'The write that takes the place of a dead letter.' });

export const deadLetterDecision = z
  .strictObject({ reason })
  .meta({ id: 'DeadLetterDecision', description: 'Why the write is given up.' });

export const discardedDeadLetter = z
  .object({ id: z.int().min(1), state: z.literal('discarded') })
  .meta({ id: 'DiscardedDeadLetter', description: 'The dead letter will not be retried; its record stays.' });
