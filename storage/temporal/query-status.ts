import type { StatusAnswer } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';

export type { StatusAnswer };

/** What a batch says of itself; `undefined` where no worker answers within `timeoutMs`, or the run is closed. Never throws. */
export async function queryStatus(
  temporal: Temporal,
  run: { readonly workflowId: string; readonly runId: string },
  timeoutMs: number,
): Promise<StatusAnswer | undefined> {
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  try {
    return await temporal.client.withDeadline(Date.now() + timeoutMs, () =>
      handle.query<StatusAnswer, []>('status'),
    );
  } catch {
    return undefined;
  }
}
