import { LRUCache } from 'lru-cache';
import type { BatchId } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import type { Mutation } from '../domain/mutation.ts';
import { readPending } from '../storage/temporal/read-pending.ts';
import type { Context } from './context.ts';

/** Where a confirmed batch is. */
export interface BatchPlace {
  readonly batchId: BatchId;
  readonly partition: number;
  readonly slot: number;
  readonly runId: string;
}

/** A batch's mutations by entry id; empty where they are persisted. */
export type BatchContent = ReadonlyMap<string, Mutation>;

const EMPTY: BatchContent = new Map();
/** A batch has at most a few hundred KB. */
const KEPT_BATCHES = 64;

/** Mutations that wait in Temporal, fetched once for each batch and process. */
export interface PendingBatches {
  /**
   * The mutations of a batch, as a query or its history gave them. A batch is immutable, so they may be kept: whether it
   * is still pending, the index says. Empty where its workflow completed: then the row has them.
   * @throws TemporalUnreachable.
   */
  content(place: BatchPlace): Promise<BatchContent>;
}

export function createPendingBatches(ctx: Context): PendingBatches {
  const kept = new LRUCache<BatchId, Promise<BatchContent>>({ max: KEPT_BATCHES });

  async function fetch(place: BatchPlace): Promise<BatchContent> {
    const found = await readPending(ctx.temporal, {
      partition: place.partition,
      slot: place.slot,
      runId: place.runId,
      queryTimeoutMs: ctx.environment.QUERY_TIMEOUT_MS,
      deadlineMs: ctx.environment.TEMPORAL_TIMEOUT_MS,
    });
    if (found.state === 'open' || found.state === 'closed-unfinished') {
      if (found.batchId === place.batchId) return new Map(found.mutations.map((m) => [entryId(m), m]));
      ctx.log.error(
        { batchId: place.batchId, found: found.batchId },
        'a slot holds another batch than recorded',
      );
      return EMPTY;
    }
    if (found.state === 'none') {
      ctx.log.error(
        { batchId: place.batchId },
        'Temporal no longer knows the workflow of a batch: reading the row instead',
      );
    }
    return EMPTY;
  }

  return {
    content(place) {
      const known = kept.get(place.batchId);
      if (known !== undefined) return known;
      const fetching = fetch(place);
      kept.set(place.batchId, fetching);
      // An empty answer or a failure says something about now, not about the batch: ask again next time.
      fetching.then(
        (content) => content.size === 0 && kept.delete(place.batchId),
        () => kept.delete(place.batchId),
      );
      return fetching;
    },
  };
}
