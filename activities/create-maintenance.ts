import { CancelledFailure, cancellationSignal, log } from '@temporalio/activity';
import { persistFailure } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { type PruneResult, prune } from './prune-tombstones.ts';
import { type ReconcileDeps, type ReconcileResult, reconcile } from './reconcile-index.ts';

/**
 * The activities that nobody's write waits for. They throw what PostgreSQL threw, as `persistBatch` does; `permanent` failures
 * are not retryable.
 */
export function createMaintenance(deps: ReconcileDeps) {
  return {
    pruneTombstones: (): Promise<PruneResult> =>
      maintained((signal) => prune(deps, signal), { done: 'pruned tombstones', what: 'the pruning' }),

    reconcileIndex: (): Promise<ReconcileResult> =>
      maintained((signal) => reconcile(deps, signal), {
        done: 'reconciled the pending index',
        what: 'the pass',
      }),
  };
}

export type Maintenance = ReturnType<typeof createMaintenance>;

/** Runs an activity that takes long, and ends it when it is cancelled. */
async function maintained<T extends object>(
  work: (signal: AbortSignal) => Promise<T>,
  words: { readonly done: string; readonly what: string },
): Promise<T> {
  const signal = cancellationSignal();
  try {
    const result = await withHeartbeats(() => work(signal));
    log.info(words.done, { ...result });
    return result;
  } catch (error) {
    if (signal.aborted) throw new CancelledFailure(`${words.what} was cancelled`);
    throw persistFailure(error, false);
  }
}
