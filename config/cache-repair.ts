/** How long a workflow whose try to tell Redis has just failed waits before the next one, at most: workflows/repair-cache.ts. */
const LONGEST_RETRY_MS = 30_000;
/** When Redis is back they all come, one for each second of the outage, process and partition, beside the batches that wait. */
const BACKLOG_MS = 30_000;

/**
 * Orders of a partition gather for so long, in ms. Each workflow tries again and again until Redis is back, on the queue that
 * carries the batches: with one for each write, an outage would leave tens of thousands.
 */
export const GATHER_MS = 1_000;

/** Within this, in ms, an order to drop copies that could not be carried out is tried again, and has its turn. */
export const NEXT_TRY_MS = LONGEST_RETRY_MS + BACKLOG_MS;
