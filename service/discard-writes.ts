import type { BatchId } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { EntryVersion, Mutation } from '../domain/mutation.ts';
import { discardMutations } from '../storage/postgres/discard.ts';
import { dropDiscarded } from '../storage/redis/discard.ts';
import { informOfDiscard } from '../storage/temporal/batch-control.ts';
import { readPending } from '../storage/temporal/read-pending.ts';
import type { Context } from './context.ts';
import { pause, remainingMs } from './deadline.ts';
import { decisionFailure, lockTimeoutMs } from './decision.ts';
import type { Epochs } from './epochs.ts';
import { noSuchBatch, requireOwnBatch, requireSlot } from './operations/no-such-batch.ts';
import type { Operations } from './operations.ts';
import { unavailable } from './trouble.ts';

const TELL_PAUSE_MS = 50;

interface HeldBatch {
  readonly workflowId: string;
  readonly runId: string;
  readonly batchId: BatchId;
  readonly partition: number;
  readonly mutations: readonly Mutation[];
}

/**
 * The order is the protocol's: the record in PostgreSQL is the decision, and persisting respects it from then on. Redis is
 * told next, so that readers fall back to the row, and the workflow last. What fails after the record does not undo it: the
 * release of the batch tells Redis again.
 */
export function createDiscardWrites(ctx: Context, epochs: Epochs): Operations['discardWrites'] {
  const { REDIS_TIMEOUT_MS, TEMPORAL_TIMEOUT_MS } = ctx.environment;

  /** All that the batch started with, from its history: a repeated discard must find what the workflow knows of already. */
  async function batchIn(workflowId: string, deadlineAt: number): Promise<HeldBatch> {
    const place = requireSlot(ctx, workflowId);
    const found = await readPending(ctx.temporal, {
      ...place,
      queryTimeoutMs: 0,
      deadlineMs: TEMPORAL_TIMEOUT_MS,
      via: 'history',
    });
    if (found.state === 'none' || found.state === 'completed')
      throw await noSuchBatch(ctx, place, deadlineAt);
    const { batchId, runId, mutations } = found;
    requireOwnBatch(ctx, batchId, await ctx.installation());
    return { workflowId, runId, batchId, partition: place.partition, mutations };
  }

  async function tellRedis(batch: HeldBatch, writes: readonly Mutation[], deadlineAt: number) {
    const until = Math.min(deadlineAt, performance.now() + REDIS_TIMEOUT_MS);
    for (;;) {
      try {
        await epochs.use(batch.partition, until, () =>
          dropDiscarded(ctx.redis, batch.partition, batch.batchId, writes),
        );
        return true;
      } catch (error) {
        if (remainingMs(until) <= TELL_PAUSE_MS) {
          ctx.log.warn({ err: error, batchId: batch.batchId }, 'Redis could not be told of a discard');
          return false;
        }
        await pause(TELL_PAUSE_MS, until);
      }
    }
  }

  async function tellWorkflow(
    batch: HeldBatch,
    writes: readonly EntryVersion[],
    reason: string,
    deadlineAt: number,
  ) {
    const deadlineMs = Math.min(TEMPORAL_TIMEOUT_MS, Math.max(1, remainingMs(deadlineAt)));
    try {
      await informOfDiscard(ctx.temporal, batch, { ids: writes.map(entryId), reason }, deadlineMs);
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      ctx.log.info({ err: error, batchId: batch.batchId }, 'a batch could not be told of a discard');
      return false;
    }
  }

  return async (workflowId, { entries, reason, by }, { deadlineAt }) => {
    const batch = await batchIn(workflowId, deadlineAt).catch((error: unknown) => {
      throw unavailable(error);
    });
    const held = new Map(batch.mutations.map((m) => [entryId(m), m]));
    const wanted = new Map<string, Mutation>();
    for (const entry of entries) {
      const mutation = held.get(entryId(entry));
      if (mutation !== undefined && (entry.version ?? mutation.version) === mutation.version) {
        wanted.set(entryId(entry), mutation);
      }
    }
    const decided = await discardMutations(ctx.db, {
      partition: batch.partition,
      batchId: batch.batchId,
      mutations: [...wanted.values()],
      reason,
      by,
      lockTimeoutMs: lockTimeoutMs(ctx.environment, deadlineAt),
    }).catch((error: unknown) => {
      throw decisionFailure(error);
    });
    const outcomes = new Map(decided.map((one) => [entryId(one), one]));
    const listed = decided.filter(({ outcome }) => outcome !== 'already-persisted');
    ctx.log.info({ batchId: batch.batchId, by, writes: listed.length }, 'writes of a batch were discarded');
    const given = listed.flatMap((one) => wanted.get(entryId(one)) ?? []);
    const cacheTold = listed.length === 0 || (await tellRedis(batch, given, deadlineAt));
    const workflowTold = listed.length === 0 || (await tellWorkflow(batch, listed, reason, deadlineAt));
    return {
      batchId: batch.batchId,
      entries: entries.map(({ collection, key }) => {
        const one = outcomes.get(entryId({ collection, key }));
        return {
          collection,
          key,
          version: one?.version ?? null,
          outcome: one?.outcome ?? 'not-in-batch',
        };
      }),
      cacheTold,
      workflowTold,
    };
  };
}
