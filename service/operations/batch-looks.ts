import type { DescribedBatch } from '../../storage/temporal/describe-batch.ts';
import type { SlotRun } from '../../storage/temporal/describe-slot.ts';
import type { Context } from '../context.ts';
import { remainingMs } from '../deadline.ts';
import { describeOwn } from './describe-own.ts';

/** Describes of one round. Thousands of batches are looked at in turns. */
const MAX_LOOKS = 200;
const AT_ONCE = 16;

interface Look {
  /** `undefined`: there is no such run. */
  readonly batch: DescribedBatch | undefined;
  /** `performance.now()`, ms. */
  readonly at: number;
}

/** What Temporal said last of each run that is asked about. */
export interface BatchLooks {
  /**
   * Looks at a bounded number of the runs again, those first that were not looked at for longest, and forgets all others.
   * Answers what was trouble, if anything was; the rest was looked at. Never throws.
   */
  refresh(runs: readonly SlotRun[], deadlineAt: number): Promise<unknown>;
  /** `undefined` where the run was never looked at. */
  last(run: SlotRun): Look | undefined;
}

function nameOf({ partition, slot, runId = '' }: SlotRun): string {
  return `${partition}:${slot}:${runId}`;
}

export function createBatchLooks(ctx: Context): BatchLooks {
  let looks = new Map<string, Look>();
  const last = (run: SlotRun) => looks.get(nameOf(run));

  async function look(run: SlotRun, deadlineAt: number): Promise<void> {
    const deadlineMs = Math.min(ctx.environment.TEMPORAL_TIMEOUT_MS, Math.max(1, remainingMs(deadlineAt)));
    const batch = await describeOwn(ctx, { ...run, deadlineMs });
    looks.set(nameOf(run), { batch, at: performance.now() });
  }

  return {
    last,
    async refresh(runs, deadlineAt) {
      const known = runs.map((run) => [nameOf(run), last(run)] as const);
      looks = new Map(known.flatMap(([name, look]) => (look === undefined ? [] : [[name, look]])));
      const due = [...runs].sort((a, b) => (last(a)?.at ?? 0) - (last(b)?.at ?? 0)).slice(0, MAX_LOOKS);
      let trouble: unknown;
      async function worker(): Promise<void> {
        for (let run = due.shift(); run !== undefined; run = due.shift()) {
          if (trouble !== undefined || remainingMs(deadlineAt) <= 0) return;
          await look(run, deadlineAt).catch((error: unknown) => {
            trouble = error;
          });
        }
      }
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, due.length) }, worker));
      return trouble;
    },
  };
}
