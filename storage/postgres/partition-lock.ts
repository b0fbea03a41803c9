import { type Kysely, type RawBuilder, sql } from 'kysely';
import { HoldfastError } from '../../domain/errors.ts';
import type { Database } from './database-types.ts';
import { sqlState } from './errors.ts';

/**
 * The first of the two numbers of our advisory locks ("HF" and a count); the second is the partition. Whoever persists
 * holds the lock shared, whoever decides about a single write (a discard, a retried dead letter) holds it alone: a
 * decision falls either before a batch looks for decisions, or after that batch has committed. Pruning holds those of all
 * partitions alone: a tombstone goes either before a batch reads the floor, or after that batch has committed.
 */
const DECISIONS = 0x4846_0001;

const LOCK_NOT_AVAILABLE = '55P03';

/** Takes the lock for persisting, until the transaction ends. Part of a SELECT list. */
export function sharedWithDecisions(partition: number): RawBuilder<unknown> {
  return sql`pg_advisory_xact_lock_shared(${DECISIONS}::integer, ${partition}::integer)`;
}

/** So much longer than the wait for a lock may its statement take: the server then says what was waited for. */
const MARGIN_MS = 100;

/**
 * Takes the locks of all partitions for pruning, until the transaction ends; to be followed by a statement of its own,
 * which then sees what the batches before it did. Waits for as long as the transaction's statements may.
 */
export async function lockForPruning(trx: Kysely<Database>, partitions: number): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${DECISIONS}::integer, partition)
    FROM generate_series(0, ${partitions}::integer - 1) AS partition`.execute(trx);
}

/**
 * Takes the lock for deciding, until the transaction ends. Batches of the partition that come meanwhile wait behind it; so
 * it waits for no longer than those under way, each of which may take a whole statement timeout.
 * @throws HoldfastError dependency-unavailable where batches under way hold it for longer than `timeoutMs`.
 */
export async function lockDecisions(
  trx: Kysely<Database>,
  partition: number,
  timeoutMs: number,
): Promise<void> {
  const waitMs = Math.max(1, Math.floor(timeoutMs));
  await sql`SELECT set_config('lock_timeout', ${String(waitMs)}, true),
                   set_config('statement_timeout', ${String(waitMs + MARGIN_MS)}, true)`.execute(trx);
  try {
    await sql`SELECT pg_advisory_xact_lock(${DECISIONS}::integer, ${partition}::integer)`.execute(trx);
  } catch (error) {
    if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new HoldfastError(
      'dependency-unavailable',
      'PostgreSQL is in the middle of writing batches of this partition, and did not come to an end in time. Nothing was decided or changed. Try again.',
      { dependency: 'postgres', retryAfterSeconds: 1, cause: error },
    );
  }
}
