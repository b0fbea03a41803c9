import { z } from 'zod';
import type { Explanation } from '../../service/holdfast.ts';
import { collectionName, entryKey, version } from './entry.ts';
import { jsonValue } from './json-value.ts';

const state = {
  version: z.int().min(0).meta({ description: '0: never written.' }),
  deleted: z
    .boolean()
    .meta({ description: 'Tells a deleted entry from one whose value is the JSON `null`.' }),
  value: jsonValue,
};

const copy = z.object(state).meta({ id: 'EntryCopy', description: 'What one place holds of an entry.' });

const pending = z
  .object({
    ...state,
    batchId: z.string(),
    where: z.enum(['redis', 'temporal']).meta({
      description: '`redis`: staged, not yet confirmed. `temporal`: in the workflow that is named.',
    }),
    workflowId: z.string().nullable(),
    runId: z.string().nullable(),
  })
  .meta({ id: 'PendingCopy', description: 'The write of an entry that is on its way to its row.' });

/** The names are those of the use case; only its states of an entry are spelled out. */
export const explanation = z
  .object({
    collection: collectionName,
    key: entryKey,
    partition: z.int().min(0),
    epoch: z.string(),
    cached: copy.nullable(),
    pending: pending.nullable(),
    row: copy.nullable(),
    setAside: z.array(version).meta({
      description: 'Versions that were dead-lettered or discarded: where one is pending, it does not count.',
    }),
    winner: z.enum(['cached', 'pending', 'row', 'none']).meta({
      description: 'The highest version wins; `none` where the entry was never written.',
    }),
  } satisfies Record<keyof Explanation, z.ZodType>)
  .meta({ id: 'Explanation', description: 'Why a read of an entry gives what it gives.' });
