import { isForeignBatch } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { mergeMutations } from '../domain/merge.ts';
import type { Mutation } from '../domain/mutation.ts';
import { type OccupiedSlot, readSlots } from '../storage/temporal/read-slots.ts';
import type { Context } from './context.ts';
import { shareNext } from './share-next.ts';

/**
 * What every slot of a partition still holds. Not what another installation put there, which has the same namespace by mistake:
 * its entries have the same names, and are others. @throws as {@link readSlots}; errors of PostgreSQL.
 */
export async function occupiedSlots(ctx: Context, partition: number): Promise<OccupiedSlot[]> {
  const { SLOTS, QUERY_TIMEOUT_MS, TEMPORAL_TIMEOUT_MS, TEMPORAL_NAMESPACE } = ctx.environment;
  const installation = await ctx.installation();
  const occupied = await readSlots(ctx.temporal, {
    partition,
    slots: SLOTS,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    deadlineMs: TEMPORAL_TIMEOUT_MS,
  });
  return occupied.filter(({ slot, batchId }) => {
    if (!isForeignBatch(batchId, installation)) return true;
    ctx.log.error(
      { partition, slot, batchId },
      `another Holdfast installation uses the Temporal namespace "${TEMPORAL_NAMESPACE}", too: give each a namespace of its own`,
    );
    return false;
  });
}

/** A mutation that waits in a slot, with where and in what. */
export type Waiting = Mutation & Omit<OccupiedSlot, 'mutations'>;

/** Looks into the slots for single entries. Callers share a look that begins after they came. */
export interface SlotLookups {
  /** Every mutation of one entry that waits in any slot of its partition. @throws as {@link readSlots}. */
  all(partition: number, id: string): Promise<Waiting[]>;
  /** Those of several entries. @throws as {@link readSlots}. */
  allOf(partition: number, ids: ReadonlySet<string>): Promise<Waiting[]>;
  /** The newest of those of one entry. @throws as {@link readSlots}. */
  newest(partition: number, id: string): Promise<Mutation | undefined>;
}

export function createSlotLookups(ctx: Context): SlotLookups {
  // Without Redis every read and every direct write needs all slots, which is some dozens of calls to Temporal.
  const look = shareNext((partition) => occupiedSlots(ctx, partition));
  async function allOf(partition: number, ids: ReadonlySet<string>): Promise<Waiting[]> {
    const slots = await look(partition);
    return slots.flatMap(({ mutations, ...place }) =>
      mutations.filter((m) => ids.has(entryId(m))).map((m) => ({ ...m, ...place })),
    );
  }
  const all = (partition: number, id: string) => allOf(partition, new Set([id]));
  return {
    all,
    allOf,
    async newest(partition, id) {
      return mergeMutations(await all(partition, id))[0];
    },
  };
}
