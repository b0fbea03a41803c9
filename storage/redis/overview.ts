import type { BatchId } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { list, number, pairs, statusOf, text } from './reply.ts';

/** A batch that was given a slot. `sealed`: not known to have reached Temporal; `confirmed`: Temporal has it. */
export type SentBatch = { readonly batchId: BatchId; readonly slot: number } & (
  | { readonly state: 'sealed' }
  | { readonly state: 'confirmed'; readonly runId: string; readonly confirmedAt: number }
);

/** What of a partition waits, and where. Times are Redis' own, in µs since 1970. */
export interface PartitionOverview {
  readonly now: number;
  readonly epoch: Epoch;
  /** Entries with a write that is not known to be in PostgreSQL: in Redis or in Temporal. */
  readonly pendingEntries: number;
  /** The batch that takes writes, and the number in its id. */
  readonly openNumber: number;
  readonly open: { readonly entries: number; readonly bytes: number };
  /** Closed for writes, not yet confirmed by Temporal. */
  readonly closed: readonly {
    readonly batchId: BatchId;
    readonly entries: number;
    readonly bytes: number;
  }[];
  /** When the oldest write was made that Redis has staged; `undefined` where it has none. */
  readonly oldestStaged: number | undefined;
  readonly freeSlots: number;
  /** Whether write-behind writes are refused. */
  readonly draining: boolean;
  /** In the order of their slots. */
  readonly sent: readonly SentBatch[];
}

/**
 * What of a partition waits, and where: scripts/overview.lua.
 * @throws EpochChanged where the partition must be recovered first; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function partitionOverview(redis: RedisStore, partition: number): Promise<PartitionOverview> {
  const keys = partitionKeys(partition);
  const reply = await redis.run(
    'overview',
    [keys.state, keys.open, keys.closed, keys.sent, keys.free, keys.index],
    [],
  );
  statusOf(reply);
  const open = { entries: number(reply, 4), bytes: number(reply, 5) };
  const times = [open.entries === 0 ? 0 : number(reply, 6), number(reply, 8)].filter((time) => time > 0);
  const packed = list(reply, 9);
  const closed = [];
  for (let i = 0; i + 2 < packed.length; i += 3) {
    closed.push({
      batchId: packed[i] as string,
      entries: Number(packed[i + 1]),
      bytes: Number(packed[i + 2]),
    });
  }
  return {
    now: number(reply, 1),
    epoch: text(reply, 2),
    pendingEntries: number(reply, 3),
    open,
    openNumber: number(reply, 12),
    closed,
    oldestStaged: times.length === 0 ? undefined : Math.min(...times),
    freeSlots: number(reply, 7),
    draining: text(reply, 11) === '1',
    sent: sentBatches(pairs(reply, 10)),
  };
}

function sentBatches(records: readonly (readonly [string, string])[]): SentBatch[] {
  const sent = records.map(([batchId, record]): SentBatch => {
    const [slot, state, runId, confirmedAt] = record.split(' ');
    return state === 'confirmed' && runId !== undefined
      ? { batchId, slot: Number(slot), state, runId, confirmedAt: Number(confirmedAt) }
      : { batchId, slot: Number(slot), state: 'sealed' };
  });
  return sent.sort((a, b) => a.slot - b.slot);
}
