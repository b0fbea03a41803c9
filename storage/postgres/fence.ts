import { type Kysely, sql } from 'kysely';
import { type BatchId, parseBatchId } from '../../domain/batch.ts';
import { type Epoch, epochNumber, type Installation, isForeign } from '../../domain/epoch.ts';
import type { Version } from '../../domain/version.ts';
import type { Database } from './database-types.ts';

export interface Fence {
  readonly epoch: Epoch;
  /** At or above every version committed in the partition. */
  readonly clock: Version;
}

export interface FenceReplacement {
  readonly partition: number;
  /** The epoch that {@link readFence} gave before the recovery took its lock. */
  readonly expected: Epoch;
  readonly epoch: Epoch;
  /** Batches of older epochs, as the slots hold them: those that were welcome so far stay so. */
  readonly adopted: readonly BatchId[];
}

/** @throws Error where the partition has no row: its topology was never recorded. */
export async function readFence(db: Kysely<Database>, partition: number): Promise<Fence> {
  const { rows } = await sql<Fence>`
    SELECT epoch, clock FROM partition_clocks WHERE partition = ${partition}`.execute(db);
  return rows[0] ?? missing(partition);
}

/**
 * Sets the epoch of a partition if it still is `expected`; from then on batches of other epochs are refused, but for the
 * adopted ones. `refused` lists those that were refused before, or would have been by the old fence, and therefore are not
 * adopted; `clock` was read after every batch that passed the old fence had committed. `undefined`: another recovery was faster.
 * Safe to repeat.
 */
export async function replaceFence(
  db: Kysely<Database>,
  { partition, expected, epoch, adopted }: FenceReplacement,
): Promise<{ clock: Version; refused: BatchId[] } | undefined> {
  return await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (trx) => {
      // This lock is what orders a replacement against persisting, which takes it for its last step and for refusing.
      const { rows } = await sql<Fence & Welcome>`
        SELECT epoch, clock, adopted, (SELECT id FROM installation) AS installation
        FROM partition_clocks WHERE partition = ${partition} FOR UPDATE`.execute(trx);
      const fence = rows[0] ?? missing(partition);
      // Epochs never repeat: this one can only be ours, set by a call whose answer was lost.
      if (fence.epoch === epoch) {
        return { clock: fence.clock, refused: adopted.filter((id) => !fence.adopted.includes(id)) };
      }
      if (fence.epoch !== expected) return undefined;
      const listed = await sql<{ batch_id: BatchId }>`
        SELECT batch_id FROM refused_batches WHERE batch_id = ANY(${adopted}::text[])`.execute(trx);
      const late = adopted.filter((id) => cameLate(id, fence));
      if (late.length > 0) {
        await sql`
          INSERT INTO refused_batches (batch_id, partition)
          SELECT batch_id, ${partition} FROM unnest(${late}::text[]) AS batch_id ON CONFLICT DO NOTHING`.execute(
          trx,
        );
      }
      const refused = new Set([...listed.rows.map((row) => row.batch_id), ...late]);
      const kept = adopted.filter((id) => !refused.has(id));
      await sql`
        UPDATE partition_clocks SET epoch = ${epoch}, adopted = ${kept}::text[]
        WHERE partition = ${partition}`.execute(trx);
      return { clock: fence.clock, refused: [...refused] };
    });
}

/** Whom a fence lets pass. */
interface Welcome {
  readonly epoch: Epoch;
  readonly adopted: readonly BatchId[];
  readonly installation: Installation;
}

/**
 * Whether a batch reached its slot after the recovery that made this fence had asked there. Persisting refuses it; but
 * where no worker came to that yet, the next recovery would adopt it, with the records of writes that the epoch between
 * them knew nothing of and went on without. The conditions are those of `recordRefusal`: a batch of a later epoch than
 * the fence's waits, since PostgreSQL went back.
 */
function cameLate(id: BatchId, { epoch, adopted, installation }: Welcome): boolean {
  const batch = parseBatchId(id);
  if (batch === undefined || isForeign(batch.epoch, installation)) return false;
  return batch.epoch !== epoch && !adopted.includes(id) && epochNumber(batch.epoch) <= epochNumber(epoch);
}

/** Whether the fence refused the batch: then nothing of it is in PostgreSQL, and never will be. */
export async function wasRefused(db: Kysely<Database>, batchId: BatchId): Promise<boolean> {
  const { rows } = await sql`SELECT FROM refused_batches WHERE batch_id = ${batchId}::text`.execute(db);
  return rows.length > 0;
}

/**
 * Forgets refused batches that nobody can offer any more: refused long ago, and in no slot. Their record keeps a recovery from
 * adopting them, which only finds what a slot holds. Answers how many.
 */
export async function forgetRefused(
  db: Kysely<Database>,
  { inSlots, minAgeMs }: { readonly inSlots: readonly BatchId[]; readonly minAgeMs: number },
): Promise<number> {
  const { rows } = await sql`
    DELETE FROM refused_batches
    WHERE refused_at < now() - ${minAgeMs}::bigint * interval '1 millisecond'
      AND NOT batch_id = ANY(${inSlots}::text[])
    RETURNING 1`.execute(db);
  return rows.length;
}

function missing(partition: number): never {
  throw new Error(`partition ${partition} has no row in partition_clocks: its topology was never recorded`);
}
