import { sql, type Transaction } from 'kysely';
import type { Batch } from '../../domain/batch.ts';
import { type Epoch, epochNumber, type Installation } from '../../domain/epoch.ts';
import type { Database } from './database-types.ts';
import { requireOwnBatch } from './installation.ts';

/** The batch is welcome by now: the transaction is to be run once more. */
export class AdoptedMeanwhile extends Error {}

/**
 * A fence is always raised before the first batch of its epoch is made, so one that is behind a batch can only belong to a
 * PostgreSQL that was restored to an earlier time. The batch is not refused: the next recovery finds it in its slot and adopts it.
 */
class PostgresWentBack extends Error {
  constructor({ partition, epoch }: Batch, fence: Epoch) {
    super(
      `PostgreSQL is older than this batch: partition ${partition} is at epoch ${epochNumber(fence)} there, and the batch is of epoch ${epochNumber(epoch)}, so PostgreSQL was restored to an earlier time. ` +
        'Nothing of the batch is lost, it waits. Empty Redis (FLUSHALL) and start the API processes: they take it in.',
    );
    this.name = 'PostgresWentBack';
  }
}

/**
 * The last statement of the transaction: raises the clock, and holds the partition's row until the commit. A recovery
 * that replaces the fence therefore comes either before it (and the batch is refused unless adopted) or after the commit
 * (and reads a clock that covers it).
 */
export async function passFence(trx: Transaction<Database>, batch: Batch): Promise<boolean> {
  const highest = batch.mutations.reduce((max, m) => Math.max(max, m.version), 0);
  const { rows } = await sql`/* pass-fence */
    UPDATE partition_clocks SET clock = greatest(clock, ${highest}::bigint)
    WHERE partition = ${batch.partition}::integer
      AND (epoch = ${batch.epoch}::text OR ${batch.id}::text = ANY(adopted))
    RETURNING 1`.execute(trx);
  return rows.length > 0;
}

/**
 * Under the lock that a recovery needs for adopting: either it sees this refusal and does not adopt the batch, or the
 * batch is adopted by now and must not be refused.
 * @throws AdoptedMeanwhile, OtherInstallation, PostgresWentBack; then nothing may be committed.
 */
export async function recordRefusal(trx: Transaction<Database>, batch: Batch): Promise<void> {
  const { rows } = await sql<{ epoch: Epoch; welcome: boolean; installation: Installation }>`
    SELECT epoch, epoch = ${batch.epoch}::text OR ${batch.id}::text = ANY(adopted) AS welcome,
           (SELECT id FROM installation) AS installation
    FROM partition_clocks WHERE partition = ${batch.partition}::integer FOR UPDATE`.execute(trx);
  const fence = rows[0];
  if (fence === undefined) {
    throw new Error(
      `partition ${batch.partition} has no row in partition_clocks: its topology was never recorded`,
    );
  }
  // Starting over, not going on: the rows would be locked after the partition's row, against the common order.
  if (fence.welcome) throw new AdoptedMeanwhile();
  requireOwnBatch(batch.id, fence.installation);
  if (epochNumber(batch.epoch) > epochNumber(fence.epoch)) throw new PostgresWentBack(batch, fence.epoch);
  await sql`INSERT INTO refused_batches (batch_id, partition) VALUES (${batch.id}, ${batch.partition})
    ON CONFLICT DO NOTHING`.execute(trx);
}
