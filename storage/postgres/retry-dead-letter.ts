import { type Kysely, sql } from 'kysely';
import type { Mutation } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { isDataError, refusalMessage, serverError, sqlState } from './errors.ts';
import { recordAction } from './operator-actions.ts';
import { lockDecisions } from './partition-lock.ts';
import { upsertMutations } from './upsert-mutations.ts';

/**
 * `persisted`: the row has this version now, or already had a newer one; the record is gone. `refused`: PostgreSQL refuses
 * the value still; the record stays, with this message. `not-dead`: there is no record with this id, or it was discarded.
 * `too-late`: the deadline passed first. In all but the first nothing was written.
 */
export type RetryOutcome =
  | { readonly outcome: 'persisted' }
  | { readonly outcome: 'refused'; readonly sqlstate: string; readonly message: string }
  | { readonly outcome: 'not-dead' }
  | { readonly outcome: 'too-late' };

export interface DeadLetterRetry {
  readonly id: number;
  /** Who asks, for the record. */
  readonly by: string;
  /** Of its entry. */
  readonly partition: number;
  /** Microseconds since 1970 by PostgreSQL's clock: past it, nothing is written. */
  readonly notAfterMicros: number;
  /** How long to wait for batches that are being persisted, in ms. */
  readonly lockTimeoutMs: number;
}

const TOO_LATE = 'HF001';

/**
 * Writes a dead letter into its row after all, with its own version: the highest version wins, as in any batch, and the
 * prune floor does not count, since its entry kept its tombstone. Removes the record in the same transaction, while no
 * batch of the partition is being persisted, so that a write is never in its row and listed.
 *
 * The commit follows the last look at the deadline by at most `idle_in_transaction_session_timeout`: after that the server
 * ends the session of a client that hangs.
 * @throws HoldfastError as {@link lockDecisions}; other errors as `pg` gave them
 */
export async function retryDeadLetter(db: Kysely<Database>, retry: DeadLetterRetry): Promise<RetryOutcome> {
  try {
    return await db
      .transaction()
      .setIsolationLevel('read committed')
      .execute(async (trx) => {
        await lockDecisions(trx, retry.partition, retry.lockTimeoutMs);
        const { rows } = await sql<Mutation>`
          DELETE FROM dead_letters WHERE id = ${retry.id}::bigint AND state = 'dead'
          RETURNING collection, key, kind, version, value`.execute(trx);
        const [mutation] = rows;
        if (mutation === undefined) return { outcome: 'not-dead' };
        await upsertMutations(trx, mutation.kind, [mutation]);
        await recordAction(trx, { by: retry.by, action: 'retry-dead-letter', subject: String(retry.id) });
        // Last, since whoever drops copies reckons with one pause between this and the commit, and drops them again after it.
        await sql`SELECT holdfast_refuse_after(${retry.notAfterMicros}::bigint, 0)`.execute(trx);
        return { outcome: 'persisted' };
      });
  } catch (error) {
    if (sqlState(error) === TOO_LATE) return { outcome: 'too-late' };
    const refusal = serverError(error);
    if (refusal === undefined || !isDataError(refusal)) throw error;
    const { code: sqlstate } = refusal;
    const message = refusalMessage(refusal);
    await sql`UPDATE dead_letters SET sqlstate = ${sqlstate}, message = ${message}
      WHERE id = ${retry.id}::bigint AND state = 'dead'`.execute(db);
    return { outcome: 'refused', sqlstate, message };
  }
}
