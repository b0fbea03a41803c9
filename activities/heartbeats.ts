import { activityInfo, heartbeat } from '@temporalio/activity';

/** Short attempts never heartbeat: each one is a call to the server. */
const HEARTBEAT_INTERVAL_MS = 2_000;

/**
 * Runs `work`, heartbeating while it lasts, so that the server notices a dead worker and this worker a cancellation.
 * A local activity is not known to the server and has no heartbeats.
 */
export async function withHeartbeats<T>(work: () => Promise<T>): Promise<T> {
  const timer = activityInfo().isLocal ? undefined : setInterval(heartbeat, HEARTBEAT_INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
