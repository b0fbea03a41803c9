import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  setCurrentDetails,
  setHandler,
  TemporalFailure,
  workflowInfo,
} from '@temporalio/workflow';
import { entryId } from '../domain/entry.ts';
import type { EntryVersion, Mutation } from '../domain/mutation.ts';
import type { PackedMutations } from '../domain/packed-mutations.ts';
import { timeOfVersion } from '../domain/version.ts';
import { activitiesFor } from './activity-options.ts';
import { createAttempts } from './attempt.ts';
import { createBatchContent } from './batch-content.ts';
import { batchDetails } from './batch-details.ts';
import { carryThrough } from './carry-through.ts';
import { checked } from './checked-result.ts';
import type {
  BatchInput,
  BatchResult,
  BatchState,
  DiscardRequest,
  PendingAnswer,
  Refusal,
  RetryRequest,
  StatusAnswer,
  UpdateAnswer,
} from './messages.ts';
import { createVisibleState } from './visible-state.ts';

const pendingQuery = defineQuery<PendingAnswer, [ids?: readonly string[]]>('pending');
const statusQuery = defineQuery<StatusAnswer>('status');
const retryNowUpdate = defineUpdate<UpdateAnswer, [request?: RetryRequest]>('retryNow');
const discardUpdate = defineUpdate<UpdateAnswer, [DiscardRequest]>('discard');

const MAX_REASON_LENGTH = 500;

/**
 * Every restart of an activity writes the batch into the history once more, and the server terminates a workflow whose
 * history reaches 50 MB. Discarding is given more room than retrying: it may be the only way out.
 */
const HISTORY_BUDGET = { retryNow: 16 * 1024 * 1024, discard: 32 * 1024 * 1024 };

function refuse(message: string, type: Refusal = 'refused'): never {
  throw ApplicationFailure.nonRetryable(message, type);
}

/** The checks of both updates. Runs in validators: what it refuses leaves no trace in the history. */
function validate(request: { readonly notAfter?: number } | undefined, budgetBytes: number): void {
  if (request?.notAfter !== undefined && Date.now() > request.notAfter) {
    refuse(
      'This request arrived after its deadline, by the clock of Temporal. Nothing was changed. Where every repetition says so, the clocks of Temporal and of the API process differ: set them right.',
    );
  }
  if (workflowInfo().historySize > budgetBytes) {
    refuse('This batch was restarted so often that its history is nearly full. It goes on trying by itself.');
  }
}

function entryVersion({ collection, key, version }: Mutation): EntryVersion {
  return { collection, key, version };
}

/**
 * Carries one sealed batch to PostgreSQL, then tells Redis. It never fails and never gives up with data inside: what
 * PostgreSQL refuses for good waits as `stuck`, a cancel request is ignored (an operator who wants to give up a write
 * uses `discard`), and a fault of this code fails the workflow task, which is tried again, not the workflow.
 */
export async function writeBehind(input: BatchInput, packed: PackedMutations = []): Promise<BatchResult> {
  // A newer API may start batches for older workers for a while. They wait for a worker that knows the format.
  if (input.format !== 1 && input.format !== 2 && input.format !== 3)
    throw new Error(
      `batch input of format ${String((input as BatchInput).format)}: a newer worker is needed`,
    );

  const content = createBatchContent(input, packed);
  const attempts = createAttempts();
  const visible = createVisibleState(input);
  let state: BatchState = 'persisting';
  let discarded: readonly EntryVersion[] = [];
  let setAside: readonly EntryVersion[] = [];
  let lastFailure: string | undefined;
  /** Redis was told in the same go. */
  let released = false;

  const status = (): StatusAnswer => ({
    batchId: input.batchId,
    state,
    total: content.total,
    pending: content.pendingCount(),
    discarded: discarded.length,
    setAside: setAside.length,
    sealedAt: input.sealedAt,
    ...(content.pendingCount() === 0
      ? {}
      : { oldestWrite: timeOfVersion(content.oldestPending()).toISOString() }),
    ...(lastFailure === undefined ? {} : { lastFailure }),
  });
  const show = () => setCurrentDetails(batchDetails(input.summary, status()));
  const enter = (next: BatchState) => {
    state = next;
    show();
  };
  const answer = (): UpdateAnswer => ({ state, pending: content.pendingCount() });

  // Handlers come before anything else: messages may arrive together with the start.
  setHandler(pendingQuery, (ids) => {
    const wanted = ids === undefined ? undefined : new Set(ids);
    const pending = content.pending();
    const mutations = wanted === undefined ? pending : pending.filter((m) => wanted.has(entryId(m)));
    return { batchId: input.batchId, runId: workflowInfo().runId, mutations };
  });
  setHandler(statusQuery, status);
  setHandler(
    retryNowUpdate,
    (_request?: RetryRequest) => {
      attempts.interrupt();
      return answer();
    },
    {
      description: 'Tries again at once what waits to be retried.',
      validator: (request?: RetryRequest) => {
        validate(request, HISTORY_BUDGET.retryNow);
        if (state === 'persisting' || state === 'done' || !attempts.active()) {
          refuse('Nothing is waiting to be retried.');
        }
      },
    },
  );
  setHandler(
    discardUpdate,
    ({ ids }) => {
      discarded = [...discarded, ...content.drop(ids).map(entryVersion)];
      // This only informs: whoever discards has recorded it in PostgreSQL before, so that an attempt in flight, or a batch
      // that holds the same write, skips it. Sent by hand, without the record, an attempt in flight may still commit.
      attempts.interrupt();
      show();
      return answer();
    },
    {
      description:
        'Gives up single writes that are not yet in PostgreSQL: {"ids": ["collection/key"], "reason": "…"}.',
      validator: (request) => {
        validate(request, HISTORY_BUDGET.discard);
        const { ids, reason } = request ?? {};
        if (typeof reason !== 'string' || reason.trim() === '') refuse('A discard needs a reason.');
        if (reason.length > MAX_REASON_LENGTH)
          refuse(`The reason is longer than ${MAX_REASON_LENGTH} characters.`);
        if (!Array.isArray(ids) || ids.length === 0) refuse('A discard names at least one entry.');
        if (state === 'releasing' || state === 'done') refuse('The batch is already settled in PostgreSQL.');
        const held = new Set(content.pending().map(entryId));
        const before = new Set(discarded.map(entryId));
        const strangers = ids.filter((id) => !held.has(id) && !before.has(id)).length;
        if (strangers > 0) refuse(`${strangers} of the named entries are not pending in this batch.`);
        // Accepted, it would interrupt an attempt for nothing, and write the batch into the history once more.
        if (!ids.some((id) => held.has(id))) {
          refuse('All of the named entries were discarded before. Nothing was changed.', 'already-discarded');
        }
      },
    },
  );

  const activities = activitiesFor(input.summary);

  const persist = () => {
    const request = (parked: boolean) => content.persistRequest(parked);
    return carryThrough(attempts, {
      async quick() {
        if (input.format !== 3) return checked(await activities.quick.persistBatch(...request(false)));
        const [whole] = request(false);
        const result = checked(await activities.quick.carryBatch(whole, packed));
        released = result.released;
        return result;
      },
      steady: async () => checked(await activities.steady.persistBatch(...request(false))),
      parked: async () => checked(await activities.parked.persistBatch(...request(true))),
      needed: () => content.pendingCount() > 0,
      onWaiting: (next, failure) => {
        lastFailure = failure?.message;
        enter(next);
        visible.waits(next, failure?.kind);
      },
    });
  };

  const release = (outcome: 'persisted' | 'refused') => {
    const request = content.releaseRequest([...setAside, ...discarded], outcome);
    return carryThrough(attempts, {
      quick: () => activities.quick.releaseBatch(...request),
      steady: () => activities.steady.releaseBatch(...request),
      parked: () => activities.parked.releaseBatch(...request),
      needed: () => true,
      onWaiting: (_, failure) => {
        lastFailure = failure?.message;
        show();
        visible.waits('releasing', failure?.kind);
      },
    });
  };

  try {
    return await CancellationScope.nonCancellable(async () => {
      show();
      // Without an outcome everything was discarded: nothing is left that PostgreSQL could refuse.
      const { outcome, setAside: deadLetters } = (await persist()) ?? { outcome: 'persisted', setAside: [] };
      const dropped = new Set(discarded.map(entryId));
      setAside = deadLetters.filter((entry) => !dropped.has(entryId(entry)));
      // From here on readers find the batch in PostgreSQL and nowhere else, also while Redis cannot be told.
      content.settle();
      lastFailure = undefined;
      // What was discarded meanwhile, Redis was not told of.
      if (!released || discarded.length > 0) {
        enter('releasing');
        visible.goesOn();
        await release(outcome);
      }
      enter('done');
      visible.goesOn();
      // Nearly always they have; each promise costs the worker a stack trace.
      if (!allHandlersFinished()) await condition(allHandlersFinished);
      return { batchId: input.batchId, outcome, setAside, discarded };
    });
  } catch (error) {
    // A Temporal failure that escapes would fail the workflow; any other error only fails the workflow task.
    if (!(error instanceof TemporalFailure)) throw error;
    throw new Error(`unexpected in workflow code: ${error.message}`, { cause: error });
  }
}
