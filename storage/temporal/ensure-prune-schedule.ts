import { ScheduleAlreadyRunning, type ScheduleDescription } from '@temporalio/client';
import { PRUNE_SCHEDULE, PRUNE_TOMBSTONES_WORKFLOW } from '../../config/temporal-names.ts';
import type { Temporal } from './client.ts';
import { withDeadline } from './errors.ts';

/**
 * Sees to it that tombstones are pruned every so often. A schedule that is there already is left alone, above all where an
 * operator paused it; only another interval or task queue than the settings' is set right, and a pause stays then, too.
 * @throws TemporalUnreachable: repeating it is harmless.
 */
export async function ensurePruneSchedule(
  temporal: Temporal,
  { everyMs, deadlineMs }: { readonly everyMs: number; readonly deadlineMs: number },
): Promise<void> {
  const { schedule } = temporal.client;
  const wanted = {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: PRUNE_TOMBSTONES_WORKFLOW,
      workflowId: PRUNE_SCHEDULE,
      taskQueue: temporal.taskQueue,
      staticSummary: 'Prune tombstones',
    },
    // One at a time is enough, and what an outage of Temporal missed need not be made up for.
    policies: { overlap: 'SKIP' as const, catchupWindow: '1 minute' as const },
  };
  await withDeadline(temporal.client, deadlineMs, async () => {
    try {
      await schedule.create({ scheduleId: PRUNE_SCHEDULE, ...wanted });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const handle = schedule.getHandle(PRUNE_SCHEDULE);
      if (agrees(await handle.describe(), everyMs, temporal.taskQueue)) return;
      await handle.update(({ state }) => ({ ...wanted, state }));
    }
  });
}

function agrees({ spec, action }: ScheduleDescription, everyMs: number, taskQueue: string): boolean {
  const { intervals = [] } = spec;
  return intervals.length === 1 && intervals[0]?.every === everyMs && action.taskQueue === taskQueue;
}
