import { CancelledFailure, cancellationSignal, log } from '@temporalio/activity';
import { persistFailure } from './failures.ts';
import { withHeartbeats } from './heartbeats.ts';
import { type PruneDeps, type PruneResult, prune } from './prune-tombstones.ts';
import { type ReconcileResult, reconcile } from './reconcile-index.ts';

/** The activities that nobody's write waits for. */
export function createMaintenance(deps: PruneDeps) {
  return {
    /** Throws what PostgreSQL threw, as `persistBatch` does; `permanent` failures are not retryable. */
    async pruneTombstones(): Promise<PruneResult> {
      const signal = cancellationSignal();
      try {
        const result = await withHeartbeats(() => prune(deps, signal));
        log.info('pruned tombstones', { ...result });
        return result;
      } catch (error) {
        if (signal.aborted) throw new CancelledFailure('the pruning was cancelled');
        throw persistFailure(error, false);
      }
    },

    /** Throws as `pruneTombstones` does. */
    async reconcileIndex(): Promise<ReconcileResult> {
      const signal = cancellationSignal();
      try {
        const result = await withHeartbeats(() => reconcile(deps, signal));
        log.info('reconciled the pending index', { ...result });
        return result;
      } catch (error) {
        if (signal.aborted) throw new CancelledFailure('the pass was cancelled');
        throw persistFailure(error, false);
      }
    },
  };
}

export type Maintenance = ReturnType<typeof createMaintenance>;
