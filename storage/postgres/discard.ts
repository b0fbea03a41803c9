import { type Kysely, sql } from 'kysely';
import type { BatchId } from '../../domain/batch.ts';
import { type EntryVersion, type Mutation, versionName } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { decisionsOn } from './decisions.ts';
import { lockDecisions } from './partition-lock.ts';
import { storableText } from './set-aside.ts';

/**
 * `discarded`: recorded now; no batch will carry it into its row. `already-persisted`: the row has this version or a newer
 * one. `already-listed`: it was dead-lettered or discarded before, and stays as it was.
 */
export type DiscardOutcome = 'discarded' | 'already-persisted' | 'already-listed';

export interface Discard {
  readonly partition: number;
  /** The batch that holds them, for those who look at the records. */
  readonly batchId: BatchId;
  readonly mutations: readonly Mutation[];
  readonly reason: string;
  readonly by: string;
  /** How long to wait for batches that are being persisted, in ms. */
  readonly lockTimeoutMs: number;
}

/**
 * Gives up pending mutations for good, each unless its row has it: one transaction, while no batch of the partition is being
 * persisted. May be repeated.
 * @throws HoldfastError as {@link lockDecisions}; then nothing was changed. Other errors as `pg` gave them; after one of a
 * lost connection the outcome is unknown.
 */
export async function discardMutations(
  db: Kysely<Database>,
  discard: Discard,
): Promise<(EntryVersion & { outcome: DiscardOutcome })[]> {
  const { partition, mutations } = discard;
  if (mutations.length === 0) return [];
  return await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (trx) => {
      await lockDecisions(trx, partition, discard.lockTimeoutMs);
      const recorded = new Set((await recordDiscards(trx, discard)).map(versionName));
      const listed = new Set((await decisionsOn(trx, mutations)).listed.map(versionName));
      // Above every decided version, too: it must not be given out again to a write that would then count as discarded.
      const highest = mutations.reduce((max, m) => Math.max(max, m.version), 0);
      await sql`UPDATE partition_clocks SET clock = greatest(clock, ${highest}::bigint)
        WHERE partition = ${partition}::integer`.execute(trx);
      return mutations.map((mutation) => {
        const { collection, key, version } = mutation;
        const name = versionName(mutation);
        const outcome = recorded.has(name)
          ? 'discarded'
          : listed.has(name)
            ? 'already-listed'
            : 'already-persisted';
        return { collection, key, version, outcome };
      });
    });
}

/** Those that were neither in their rows nor listed. */
async function recordDiscards(
  trx: Kysely<Database>,
  { partition, batchId, mutations, reason, by }: Discard,
): Promise<EntryVersion[]> {
  const { rows } = await sql<EntryVersion>`
    INSERT INTO dead_letters
      (collection, key, partition, batch_id, version, kind, value, state, reason, decided_by, decided_at)
    SELECT m.collection, m.key, ${partition}::integer, ${batchId}::text, m.version, m.kind, m.value,
           'discarded', ${reason}::text, ${by}::text, now()
    FROM unnest(
      ${mutations.map((m) => m.collection)}::text[], ${mutations.map((m) => m.key)}::text[],
      ${mutations.map((m) => m.version)}::bigint[], ${mutations.map((m) => m.kind)}::text[],
      ${mutations.map((m) => storableText(m.value))}::text[]
    ) AS m (collection, key, version, kind, value)
    WHERE NOT EXISTS (
      SELECT FROM documents AS t
      WHERE m.kind = 'document' AND t.collection = m.collection AND t.key = m.key AND t.version >= m.version
    ) AND NOT EXISTS (
      SELECT FROM counters AS t
      WHERE m.kind = 'counter' AND t.collection = m.collection AND t.key = m.key AND t.version >= m.version
    )
    ON CONFLICT (collection, key, version) DO NOTHING
    RETURNING collection, key, version`.execute(trx);
  return rows;
}
