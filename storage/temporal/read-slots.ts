import type { BatchId } from '../../domain/batch.ts';
import type { Mutation } from '../../domain/mutation.ts';
import type { Temporal } from './client.ts';
import { readPending } from './read-pending.ts';

/** A slot whose workflow is not known to have persisted its batch. */
export interface OccupiedSlot {
  readonly slot: number;
  readonly batchId: BatchId;
  readonly runId: string;
  /** What is not yet persisted of it. Empty while only its release is left. */
  readonly mutations: readonly Mutation[];
}

export interface ReadSlotsRequest {
  readonly partition: number;
  /** How many slots the partition has. */
  readonly slots: number;
  /** As {@link readPending} takes them, for each slot. */
  readonly queryTimeoutMs: number;
  readonly deadlineMs: number;
}

const AT_ONCE = 8;

/**
 * Asks every slot of a partition for its pending mutations. Never a listing: Temporal's visibility is eventually
 * consistent, and the slots are known without it. A run that closed without completing counts as pending.
 * @throws TemporalUnreachable where any slot could not be asked: a missing answer is not "nothing pending".
 * @throws UnreadableBatch where a slot holds no batch, or one of a newer format.
 */
export async function readSlots(temporal: Temporal, request: ReadSlotsRequest): Promise<OccupiedSlot[]> {
  const { slots, ...each } = request;
  const occupied: OccupiedSlot[] = [];
  let next = 0;
  let failed = false;
  // Once a worker failed to answer, the other slots are read from history at once instead of each waiting as long.
  let via: 'query' | 'history' = 'query';
  async function worker(): Promise<void> {
    for (let slot = next++; slot < slots && !failed; slot = next++) {
      const found = await readPending(temporal, { ...each, slot, via }).catch((error: unknown) => {
        failed = true;
        throw error;
      });
      if (found.state === 'open' && found.source === 'history') via = 'history';
      if (found.state === 'open' || found.state === 'closed-unfinished') {
        occupied.push({ slot, batchId: found.batchId, runId: found.runId, mutations: found.mutations });
      }
    }
  }
  // No call is left behind: one that outlives the connection would end the process.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, slots) }, worker));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return occupied;
}
