import type { BatchId } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { mergeMutations } from '../domain/merge.ts';
import type { Mutation } from '../domain/mutation.ts';
import { readPending } from '../storage/temporal/read-pending.ts';
import type { Context } from './context.ts';
import { shareNext } from './share-next.ts';

/** A slot whose workflow is not known to have persisted its batch. */
export interface OccupiedSlot {
  readonly slot: number;
  readonly batchId: BatchId;
  readonly runId: string;
  /** What is not yet persisted of it. Empty while only its release is left. */
  readonly mutations: readonly Mutation[];
}

const AT_ONCE = 8;

/**
 * Asks every slot of a partition for its pending mutations. Never a listing: Temporal's visibility is eventually
 * consistent, and the slots are known without it. A run that closed without completing counts as pending.
 * @throws TemporalUnreachable where any slot could not be asked: a missing answer is not "nothing pending".
 */
export async function readSlots(ctx: Context, partition: number): Promise<OccupiedSlot[]> {
  const { SLOTS, QUERY_TIMEOUT_MS, TEMPORAL_TIMEOUT_MS } = ctx.environment;
  const occupied: OccupiedSlot[] = [];
  let next = 0;
  // Once a worker failed to answer, the other slots are read from history at once instead of each waiting as long.
  let via: 'query' | 'history' = 'query';
  async function worker(): Promise<void> {
    for (let slot = next++; slot < SLOTS; slot = next++) {
      const found = await readPending(ctx.temporal, {
        partition,
        slot,
        queryTimeoutMs: QUERY_TIMEOUT_MS,
        deadlineMs: TEMPORAL_TIMEOUT_MS,
        via,
      });
      if (found.state === 'open' && found.source === 'history') via = 'history';
      if (found.state === 'open' || found.state === 'closed-unfinished') {
        occupied.push({ slot, batchId: found.batchId, runId: found.runId, mutations: found.mutations });
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, SLOTS) }, worker));
  return occupied;
}

// Without Redis every read and every direct write needs all slots, which is some dozens of calls to Temporal.
const together = new WeakMap<Context, (partition: number) => Promise<OccupiedSlot[]>>();

/** Every mutation of one entry that waits in any slot of its partition. @throws as {@link readSlots}. */
export async function mutationsInSlots(ctx: Context, partition: number, id: string): Promise<Mutation[]> {
  const look = together.get(ctx) ?? shareNext((one) => readSlots(ctx, one));
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
