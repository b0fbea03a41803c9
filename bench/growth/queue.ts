import { until } from '../../dev/until.ts';
import type { Holdfast } from '../start-holdfast.ts';

/** What of GET /ops/v1/summary is looked at. `null`: Holdfast does not know at the moment. */
export interface Queue {
  /** Entries with a write that is not known to be in PostgreSQL; of them, those that Temporal has not taken yet. */
  readonly pendingEntries: number | null;
  readonly stagedEntries: number | null;
}

/** What waits now, a second or two ago. @throws Error where the API does not say */
export async function queueOf(base: string): Promise<Queue> {
  const response = await fetch(`${base}/ops/v1/summary`);
  if (!response.ok) throw new Error(`GET /ops/v1/summary: ${response.status}`);
  return (await response.json()) as Queue;
}

/**
 * Has everything that is staged offered to Temporal, also what would gather for longer, and waits until Temporal has it. Answers
 * when it had, on this process's monotonic clock, in ms; the request that asks for it ends some seconds later, and is waited for.
 * @throws Error where that takes longer than five minutes
 */
export async function untilInTemporal(base: string): Promise<number> {
  let flushing: Promise<unknown> | undefined;
  const inTemporal = async () => {
    // It answers at a request's deadline, for nobody persists anything: not waited for, and asked again after that.
    flushing ??= fetch(`${base}/ops/v1/flush`, { method: 'POST' })
      .then((response) => response.text())
      .finally(() => {
        flushing = undefined;
      });
    flushing.catch(() => {});
    return (await queueOf(base)).stagedEntries === 0;
  };
  await until(inTemporal, {
    timeoutMs: 300_000,
    everyMs: 100,
    what: 'Temporal to have all that was written',
  });
  const at = performance.now();
  await flushing;
  return at;
}

/**
 * Has what is staged carried at once, too, and waits until Holdfast says that all that was written before is in PostgreSQL.
 * @throws Error where that takes longer than ten minutes
 */
export async function untilAllPersisted(holdfast: Holdfast): Promise<void> {
  await until(() => holdfast.settled(), { timeoutMs: 600_000, what: 'everything to be persisted' });
}
