import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { BatchId } from '../../domain/batch.ts';
import { timeOfVersion } from '../../domain/version.ts';
import { recordAction } from '../../storage/postgres/operator-actions.ts';
import { EpochChanged, RedisOutcomeUnknown, RedisUnavailable } from '../../storage/redis/errors.ts';
import { retryNow } from '../../storage/temporal/batch-control.ts';
import { type DescribedBatch, describeBatch } from '../../storage/temporal/describe-batch.ts';
import type { SlotRun } from '../../storage/temporal/describe-slot.ts';
import { readInput } from '../../storage/temporal/history-events.ts';
import { queryStatus } from '../../storage/temporal/query-status.ts';
import type { Context } from '../context.ts';
import { beforeDeadline, remainingMs } from '../deadline.ts';
import type { Operations } from '../operations.ts';
import { ownOverview } from '../own-redis.ts';
import { unavailable } from '../trouble.ts';
import type { BatchPlace, ListedBatch } from './batch-types.ts';
import { describeOwn } from './describe-own.ts';
import { noSuchBatch, requireOwnBatch, requireSlot } from './no-such-batch.ts';

/** Slots looked at for one page: a page of one state may be nearly empty and still have a next one. */
const MAX_LOOKS = 200;
const AT_ONCE = 16;
/** Kept back from a search, so that what was found is answered. */
const ANSWER_MS = 500;

/** A slot in use, as Redis says; without `batchId` whatever is in it, since Redis could not say. Without `runId` it is staged. */
type InSlot = SlotRun & { readonly batchId?: BatchId };

/** What operators see of batches, and do about them. Asks the slots that are in use, never a listing. */
export function createBatches(ctx: Context): Pick<Operations, 'listBatches' | 'showBatch' | 'retryBatch'> {
  const { PARTITIONS, SLOTS, TEMPORAL_TIMEOUT_MS, QUERY_TIMEOUT_MS, TEMPORAL_UI_URL, TEMPORAL_NAMESPACE } =
    ctx.environment;

  const callMs = (deadlineAt: number) =>
    Math.max(1, Math.floor(Math.min(TEMPORAL_TIMEOUT_MS, remainingMs(deadlineAt))));

  async function inUse(partition: number, deadlineAt: number): Promise<readonly InSlot[]> {
    try {
      const { sent } = await beforeDeadline(ownOverview(ctx, partition), deadlineAt);
      return sent.map(({ slot, batchId, ...one }) => ({
        partition,
        slot,
        batchId,
        ...(one.state === 'confirmed' ? { runId: one.runId } : {}),
      }));
    } catch (error) {
      const away =
        error instanceof RedisUnavailable ||
        error instanceof RedisOutcomeUnknown ||
        error instanceof EpochChanged;
      if (!away) throw error;
      return Array.from({ length: SLOTS }, (_, slot) => ({ partition, slot }));
    }
  }

  function uiUrl(workflowId: string, runId: string): string {
    const path = ['namespaces', TEMPORAL_NAMESPACE, 'workflows', workflowId, runId, 'history'];
    return `${TEMPORAL_UI_URL.replace(/\/+$/, '')}/${path.map(encodeURIComponent).join('/')}`;
  }

  function listed({ partition }: SlotRun, batch: DescribedBatch): ListedBatch {
    const { workflowId, runId, batchId, state, entries, collections, startedAt, attempts, paused } = batch;
    const oldestWriteAt = batch.oldestVersion === null ? null : timeOfVersion(batch.oldestVersion);
    return {
      workflowId,
      runId,
      batchId,
      partition,
      state,
      entries,
      collections,
      oldestWriteAt,
      startedAt,
      attempts,
      paused,
      lastError: batch.failure,
      nextAttemptAt: batch.nextAttemptAt,
      uiUrl: uiUrl(workflowId, runId),
    };
  }

  /** `undefined` where the slot turned out to be free. */
  async function look(place: InSlot, deadlineAt: number): Promise<ListedBatch | undefined> {
    const { batchId, runId } = place;
    if (batchId !== undefined && runId === undefined) return unseenBatch(place, batchId, 'staged');
    const batch = await describeOwn(ctx, { ...place, deadlineMs: callMs(deadlineAt) });
    // Without Redis: the last batch of a free slot.
    if (batch?.state === 'done' && runId === undefined) return undefined;
    if (batch === undefined)
      return batchId === undefined ? undefined : unseenBatch(place, batchId, 'unknown');
    return listed(place, batch);
  }

  async function found(workflowId: string, deadlineAt: number): Promise<[SlotRun, DescribedBatch]> {
    const place = requireSlot(ctx, workflowId);
    const batch = await describeBatch(ctx.temporal, { ...place, deadlineMs: callMs(deadlineAt) });
    if (batch === undefined || batch.state === 'done') throw await noSuchBatch(ctx, place, deadlineAt);
    requireOwnBatch(ctx, batch.batchId, ctx.installation.known());
    return [place, batch];
  }

  async function list(
    {
      state,
      after,
      limit,
    }: { readonly state?: BatchPlace | undefined; readonly after: string; readonly limit: number },
    deadlineAt: number,
  ) {
    const searchBy = deadlineAt - ANSWER_MS;
    const from = after === '' ? undefined : requireSlot(ctx, after);
    const batches: ListedBatch[] = [];
    let looks = 0;
    let last = after;
    for (let partition = from?.partition ?? 0; partition < PARTITIONS; partition++) {
      const places = (await inUse(partition, searchBy)).filter(
        ({ slot }) => slotWorkflowId(partition, slot) > after,
      );
      while (places.length > 0) {
        if (batches.length >= limit || looks >= MAX_LOOKS || (looks > 0 && remainingMs(searchBy) <= 0)) {
          return { batches, next: last };
        }
        const some = places.splice(0, Math.min(AT_ONCE, limit - batches.length));
        looks += some.length;
        const looked = await Promise.all(some.map((place) => look(place, deadlineAt)));
        for (const batch of looked) {
          if (batch !== undefined && (state === undefined || batch.state === state)) batches.push(batch);
        }
        last = slotWorkflowId(partition, some.at(-1)?.slot ?? 0);
      }
    }
    return { batches, next: null };
  }

  return {
    listBatches: (page, { deadlineAt }) => list(page, deadlineAt).catch(rethrow),

    async showBatch(workflowId, { after, limit }, { deadlineAt }) {
      const [place, batch] = await found(workflowId, deadlineAt).catch(rethrow);
      const { runId } = batch;
      const [input, counts] = await Promise.all([
        readInput(ctx.temporal, { ...place, runId, deadlineMs: callMs(deadlineAt) }),
        queryStatus(ctx.temporal, batch, Math.min(QUERY_TIMEOUT_MS, callMs(deadlineAt))),
      ]).catch(rethrow);
      if (input === undefined) throw await noSuchBatch(ctx, place, deadlineAt);
      const writes = input.mutations
        .slice(after, after + limit)
        .map(({ collection, key, version, value }) => ({
          collection,
          key,
          version,
          deleted: value === null,
          valueLength: value?.length ?? 0,
        }));
      const next = after + limit < input.mutations.length ? after + limit : null;
      return { ...listed(place, batch), counts: counts ?? null, writes, next };
    },

    async retryBatch(workflowId, { by }, { deadlineAt }) {
      await found(workflowId, deadlineAt).catch(rethrow);
      const answer = await retryNow(ctx.temporal, workflowId, by, callMs(deadlineAt)).catch(rethrow);
      ctx.log.info({ workflowId, by }, 'a batch is tried again at once');
      // The workflow's history has it for certain. PostgreSQL, which may be what the batch waits for, is not waited for.
      recordAction(ctx.db, { by, action: 'retry-batch', subject: workflowId }).catch((error: unknown) =>
        ctx.log.info({ err: error, workflowId, by }, 'PostgreSQL could not note who retried a batch'),
      );
      return answer;
    },
  };
}

/** One that only Redis knows: of its workflow nothing can be said. */
function unseenBatch(
  { partition, slot, runId }: SlotRun,
  batchId: BatchId,
  state: 'staged' | 'unknown',
): ListedBatch {
  const workflowId = slotWorkflowId(partition, slot);
  const unknown = {
    entries: null,
    collections: null,
    oldestWriteAt: null,
    startedAt: null,
    lastError: null,
    nextAttemptAt: null,
  };
  return {
    workflowId,
    runId: runId ?? null,
    batchId,
    partition,
    state,
    ...unknown,
    attempts: 0,
    paused: false,
    uiUrl: null,
  };
}

function rethrow(error: unknown): never {
  throw unavailable(error);
}
