import { ScheduleAlreadyRunning, type ScheduleDescription } from '@temporalio/client';
import type { Temporal } from './client.ts';
import { withDeadline } from './errors.ts';

/** Maintenance that a workflow without input does every so often. */
export interface MaintenanceSchedule {
  /** Also what the ids of its runs begin with. */
  readonly id: string;
  readonly workflowType: string;
  /** For the Web UI. */
  readonly summary: string;
  readonly everyMs: number;
}

/**
 * Sees to it that maintenance is done every so often. A schedule that is there already is left alone, above all where an
 * operator paused it; only another interval or task queue than the settings' is set right, and a pause stays then, too.
 * @throws TemporalUnreachable: repeating it is harmless.
 */
export async function ensureSchedule(
  temporal: Temporal,
  { id, workflowType, summary, everyMs }: MaintenanceSchedule,
  deadlineMs: number,
): Promise<void> {
  const wanted = {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType,
      workflowId: id,
      taskQueue: temporal.taskQueue,
      staticSummary: summary,
    },
    // One at a time is enough, and what an outage of Temporal missed need not be made up for.
    policies: { overlap: 'SKIP' as const, catchupWindow: '1 minute' as const },
  };
  await withDeadline(temporal, deadlineMs, async ({ schedule }) => {
    try {
      await schedule.create({ scheduleId: id, ...wanted });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const handle = schedule.getHandle(id);
      if (agrees(await handle.describe(), everyMs, temporal.taskQueue)) return;
      await handle.update(({ state }) => ({ ...wanted, state }));
    }
  });
}

function agrees({ spec, action }: ScheduleDescription, everyMs: number, taskQueue: string): boolean {
  const { intervals = [] } = spec;
  return intervals.length === 1 && intervals[0]?.every === everyMs && action.taskQueue === taskQueue;
}
