import { crashPoint } from '../../config/crash-points.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { RedisStore } from '../redis/client.ts';
import { EpochChanged } from '../redis/errors.ts';
import { releaseBatch } from '../redis/release.ts';
import { forgetEntries, recordRerun, type SweepPage } from '../redis/sweep.ts';
import type { Temporal } from '../temporal/client.ts';
import { describeSlot } from '../temporal/describe-slot.ts';
import { isTemporalUnreachable } from '../temporal/errors.ts';
import { readInput, readResult } from '../temporal/history-events.ts';
import { type ConfirmedBatch, queueAgain } from './queue-again.ts';

export interface SweepDeps {
  readonly redis: RedisStore;
  readonly temporal: Temporal;
  /** For each call to Temporal, in ms. */
  readonly deadlineMs: number;
  /** Told of all that was found, as it is found. */
  readonly tell: (news: SweepNews) => void;
}

/** What a sweep came upon. */
export type SweepNews =
  /** A release that was lost was redone. */
  | {
      readonly found: 'lost-release';
      readonly batch: ConfirmedBatch;
      readonly outcome: 'persisted' | 'refused';
    }
  /** A workflow had ended with its writes inside (terminated, failed, reset): they are queued again, in another run. */
  | {
      readonly found: 'ended-batch';
      readonly batch: ConfirmedBatch;
      readonly newRunId: string;
      /** Where this process started the run; `undefined`: a reset did, or another process, which may have died since. */
      readonly writes?: number;
    }
  /** Index entries named batches that nobody has: they are removed. */
  | { readonly found: 'dangling'; readonly entries: number }
  /** Temporal does not know the run of a batch: another namespace, most likely. Never released for that. */
  | { readonly found: 'unknown-run'; readonly batch: ConfirmedBatch }
  /** A batch that cannot be read must not keep the others from being looked at. */
  | { readonly found: 'trouble'; readonly batch: ConfirmedBatch; readonly error: unknown };

/**
 * Looks after what a page of a sweep names. Releases that were lost are redone: a recovery may adopt a batch whose workflow
 * releases it a moment before the new epoch is installed; only a workflow that COMPLETED with the batch's own id counts.
 * Batches whose workflow ended in another way are queued again. Any number of processes may do this at once: each step is
 * one that may be repeated, and compares before it changes.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown, TemporalUnreachable.
 */
export async function lookAfter(
  deps: SweepDeps,
  { partition, epoch }: { readonly partition: number; readonly epoch: Epoch },
  page: SweepPage,
): Promise<void> {
  for (const one of page.confirmed) {
    const batch = { ...one, partition };
    try {
      await examine(deps, epoch, batch);
    } catch (error) {
      if (isTemporalUnreachable(error) || error instanceof EpochChanged) throw error;
      deps.tell({ found: 'trouble', batch, error });
    }
  }
  if (page.dangling.length === 0) return;
  const entries = await forgetEntries(deps.redis, { partition, epoch }, page.dangling);
  if (entries > 0) deps.tell({ found: 'dangling', entries });
}

async function examine(deps: SweepDeps, epoch: Epoch, batch: ConfirmedBatch): Promise<void> {
  const { redis, temporal, deadlineMs, tell } = deps;
  const { batchId, partition, slot, runId } = batch;
  const found = await describeSlot(temporal, { partition, slot, runId, deadlineMs });
  if (found.state === 'none') return tell({ found: 'unknown-run', batch });
  if (found.batchId !== batchId || found.state === 'open') return;
  if (found.state === 'completed') return await redo(deps, epoch, batch);
  const again = await queueAgain(temporal, batch, deadlineMs);
  if (again === undefined) return;
  crashPoint('before-rerun');
  // Of several that do this at once, one is the first to record it, and tells, whoever started the run.
  if (await recordRerun(redis, { partition, epoch }, batch, again.runId)) {
    tell({ found: 'ended-batch', batch, newRunId: again.runId, ...again.restarted });
  }
}

async function redo(deps: SweepDeps, epoch: Epoch, batch: ConfirmedBatch): Promise<void> {
  const { batchId, partition, slot, runId } = batch;
  const run = { partition, slot, runId, deadlineMs: deps.deadlineMs };
  const input = await readInput(deps.temporal, run);
  const result = await readResult(deps.temporal, run);
  if (input === undefined || result === undefined) return;
  crashPoint('before-redo');
  await releaseBatch(deps.redis, {
    batchId,
    partition,
    epoch,
    entries: input.mutations,
    setAside: [...result.setAside, ...result.discarded],
    outcome: result.outcome,
  });
  deps.tell({ found: 'lost-release', batch, outcome: result.outcome });
}
