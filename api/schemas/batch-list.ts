import { z } from 'zod';
import { collectionName, entryKey, version } from './entry.ts';

const time = z.iso.datetime();
const count = z.int().min(0);

export const batchPlace = z
  .enum(['staged', 'persisting', 'retrying', 'stuck', 'releasing', 'done', 'ended', 'unknown'])
  .meta({
    description:
      '`staged`: not known to have reached Temporal. `persisting`: the first attempt. `retrying`: PostgreSQL did not take it yet. `stuck`: PostgreSQL refuses it for a reason that a person must mend. `releasing`, `done`: in PostgreSQL; Redis is being told. `ended`: the workflow was terminated or failed; the writes are queued again. `unknown`: Redis names it, and Temporal does not know it.',
  });

const listed = {
  workflowId: z.string(),
  runId: z.string().nullable(),
  batchId: z.string(),
  partition: count,
  state: batchPlace,
  entries: count.nullable(),
  collections: z
    .array(collectionName)
    .nullable()
    .meta({ description: 'Of its writes, the first 20; `null` where Temporal was not told.' }),
  oldestWriteAt: time.nullable(),
  startedAt: time.nullable(),
  attempts: count,
  paused: z.boolean().meta({
    description:
      'Somebody paused its attempts, in the Temporal Web UI or by command: it goes on when unpaused.',
  }),
  lastError: z
    .object({
      at: time,
      type: z
        .string()
        .meta({ description: 'A SQLSTATE, `unreachable`, `unexpected` or the name of an error.' }),
      message: z.string(),
    })
    .nullable(),
  nextAttemptAt: time
    .nullable()
    .meta({ description: '`null` while an attempt is under way, and where none is planned.' }),
  uiUrl: z.string().nullable().meta({ description: 'Its page in the Temporal Web UI.' }),
};

export const batchList = z
  .object({
    batches: z.array(z.object(listed).meta({ id: 'ListedBatch', description: 'A batch that has a slot.' })),
    next: z.string().nullable().meta({
      description:
        'The `after` of the next page; `null` on the last one. A page of one state may be short and have a next one.',
    }),
  })
  .meta({ id: 'BatchList', description: 'A page of batches, in the order of their workflow ids.' });

export const shownBatch = z
  .object({
    ...listed,
    counts: z
      .object({ total: count, pending: count, discarded: count, setAside: count })
      .nullable()
      .meta({ description: 'What the workflow says of itself; `null` where no worker answered in time.' }),
    writes: z.array(
      z.object({
        collection: collectionName,
        key: entryKey,
        version,
        deleted: z.boolean(),
        valueLength: count.meta({ description: 'Of its text, in characters.' }),
      }),
    ),
    next: count
      .nullable()
      .meta({ description: 'The `after` of the next page of writes; `null` on the last one.' }),
  })
  .meta({ id: 'ShownBatch', description: 'A batch on its way, and a page of the writes it began with.' });

export const retriedBatch = z
  .object({
    workflowId: z.string(),
    state: batchPlace,
    pending: count.meta({ description: 'Its writes that are not yet in PostgreSQL.' }),
  })
  .meta({ id: 'RetriedBatch', description: 'Where the batch stands right after.' });
