import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { createEntries, upsertEntry } from './entries-table.ts';

/** The worker of peer (d): 50 jobs at once, an upsert each. */
await createEntries();

// BullMQ asks for this setting: a worker waits for Redis as long as it takes.
const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const worker = new Worker<{ key: string; value: string }>(
  'writes',
  ({ data }) => upsertEntry(data.key, data.value),
  { connection, concurrency: 50 },
);
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
process.on('SIGTERM', () => process.exit(0));
