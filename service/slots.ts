import { entryId } from '../domain/entry.ts';
import { mergeMutations } from '../domain/merge.ts';
import type { Mutation } from '../domain/mutation.ts';
import { type OccupiedSlot, readSlots } from '../storage/temporal/read-slots.ts';
import type { Context } from './context.ts';
import { shareNext } from './share-next.ts';

/** What every slot of a partition still holds. @throws as {@link readSlots}. */
export async function occupiedSlots(ctx: Context, partition: number): Promise<OccupiedSlot[]> {
  const { SLOTS, QUERY_TIMEOUT_MS, TEMPORAL_TIMEOUT_MS } = ctx.environment;
  return await readSlots(ctx.temporal, {
    partition,
    slots: SLOTS,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    deadlineMs: TEMPORAL_TIMEOUT_MS,
  });
}

// Without Redis every read and every direct write needs all slots, which is some dozens of calls to Temporal.
const together = new WeakMap<Context, (partition: number) => Promise<OccupiedSlot[]>>();

/** Every mutation of one entry that waits in any slot of its partition. @throws as {@link readSlots}. */
export async function mutationsInSlots(ctx: Context, partition: number, id: string): Promise<Mutation[]> {
  const look = together.get(ctx) ?? shareNext((one) => occupiedSlots(ctx, one));
  together.set(ctx, look);
  const slots = await look(partition);
  return slots.flatMap(({ mutations }) => mutations.filter((m) => entryId(m) === id));
}

/** The newest mutation of one entry that waits in any slot of its partition. @throws as {@link readSlots}. */
export async function newestInSlots(
  ctx: Context,
  partition: number,
  id: string,
): Promise<Mutation | undefined> {
  return mergeMutations(await mutationsInSlots(ctx, partition, id))[0];
}
