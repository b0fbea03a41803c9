import type { StatusAnswer } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';

export type { StatusAnswer };

/** What a batch says of itself; `undefined` where no worker answers within `timeoutMs`, or the run is closed. Never throws. */
export async function queryStatus(
  temporal: Temporal,
  run: { readonly workflowId: string; readonly runId: string },
  timeoutMs: number,
): Promise<StatusAnswer | undefined> {
  try {
    return await temporal.within(timeoutMs, ({ workflow }) =>
      workflow.getHandle(run.workflowId, run.runId).query<StatusAnswer, []>('status'),
    );
  } catch {
    return undefined;
  }
}
