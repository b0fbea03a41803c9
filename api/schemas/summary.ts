import { z } from 'zod';

const time = z.iso.datetime();
const count = z.int().min(0);

/** What could not be found out, and why. */
const unknowns = z
  .array(z.object({ dependency: z.enum(['redis', 'temporal', 'postgres']), problem: z.string() }))
  .meta({ description: 'What could not be found out, and why. Empty where all is known.' });

const batchTrouble = z
  .object({
    at: time,
    workflowId: z.string(),
    type: z
      .string()
      .meta({ description: 'A SQLSTATE, `unreachable`, `unexpected` or the name of an error.' }),
    message: z.string(),
    attempts: count,
    nextAttemptAt: time.nullable().meta({ description: '`null` while an attempt is under way.' }),
  })
  .meta({ id: 'BatchTrouble', description: 'The newest failed attempt of a batch.' });

const batches = z
  .object({
    staged: count.meta({ description: 'Closed in Redis, not yet in Temporal.' }),
    persisting: count,
    retrying: count,
    stuck: count.meta({ description: 'Refused by PostgreSQL for a reason that a person must mend.' }),
    releasing: count.meta({ description: 'In PostgreSQL; Redis is being told.' }),
    ended: count.meta({ description: 'The workflow was terminated or failed; the writes are queued again.' }),
    unknown: count.meta({ description: 'Given to Temporal; not looked at yet, or `notInTemporal`.' }),
  })
  .meta({ id: 'BatchCounts', description: 'Batches by where they stand.' });

const newestErrors = z
  .object({
    retrying: batchTrouble.nullable(),
    stuck: batchTrouble.nullable(),
    releasing: batchTrouble.nullable(),
  })
  .meta({ id: 'NewestErrors', description: 'The newest failed attempt of the batches of each state.' });

const waiting = {
  draining: z
    .boolean()
    .nullable()
    .meta({ description: 'Whether write-behind writes are refused while the queue empties.' }),
  pendingEntries: count.nullable().meta({
    description:
      'Entries with a write that is not known to be in PostgreSQL. `null`, here and below: not known.',
  }),
  stagedEntries: count.nullable().meta({ description: 'Writes that are in Redis alone.' }),
  stagedBytes: count.nullable(),
  slots: count,
  slotsInUse: count.nullable(),
  batches,
  notInTemporal: count.meta({
    description:
      'Of the `unknown` batches those that Redis names and Temporal says it does not have: their writes may be lost.',
  }),
  oldestWriteAt: time.nullable().meta({ description: '`null`: nothing waits, as far as is known.' }),
  oldestAgeSeconds: z.number().min(0).nullable(),
  newestError: batchTrouble.nullable().meta({ description: 'Of all batches.' }),
  newestErrors,
  unknown: unknowns,
};

const partitionSummary = z
  .object({
    partition: count,
    epoch: z
      .string()
      .nullable()
      .meta({ description: 'It changes whenever Redis lost its memory, and its number grows.' }),
    ...waiting,
  })
  .meta({ id: 'PartitionSummary', description: 'What of one partition is not yet in PostgreSQL.' });

export const summary = z
  .object({
    at: time,
    allPersisted: z
      .boolean()
      .nullable()
      .meta({ description: 'Whether everything accepted is in PostgreSQL.' }),
    ...waiting,
    deadLetters: z
      .object({ dead: count, discarded: count })
      .nullable()
      .meta({ description: 'Each counted up to 100,000.' }),
    rowsWritten: count.nullable().meta({
      description:
        'Rows of entries that were written since PostgreSQL began to count: two summaries tell how fast. It begins again after a crash of PostgreSQL.',
    }),
    partitions: z.array(partitionSummary),
  })
  .meta({ id: 'Summary', description: 'All that is not yet in PostgreSQL, as of a moment ago.' });
