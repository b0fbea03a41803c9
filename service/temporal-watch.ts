import type { Environment } from '../config/environment.ts';
import { isTemporalUnreachable } from '../storage/temporal/errors.ts';
import type { Context } from './context.ts';

/** How long the first attempt to start may take once Temporal is known to be away. */
const FIRST_PROBE_MS = 500;
/** How long Temporal is left alone between two attempts once it is known to be away. */
const PROBE_PAUSE_MS = 1_000;

/** What this process knows of whether Temporal takes batches. */
export interface TemporalWatch {
  /** Whether Temporal has been away for longer than batches should wait for it. */
  givenUp(): boolean;
  /** Given up, and not to be tried now: one batch in a while finds out whether it is back, the others do not wait for that. */
  rests(): boolean;
  /**
   * Tries to start a batch within `deadlineMs`, and notes whether Temporal was reached.
   * @throws what `work` throws; only TemporalUnreachable says that Temporal is away.
   */
  attempt<T>(work: (deadlineMs: number) => Promise<T>): Promise<T>;
}

export function createTemporalWatch({
  environment,
  log,
}: {
  readonly environment: Pick<Environment, 'DIRECT_PERSIST_AFTER_MS' | 'TEMPORAL_TIMEOUT_MS'>;
  readonly log: Context['log'];
}): TemporalWatch {
  const { DIRECT_PERSIST_AFTER_MS, TEMPORAL_TIMEOUT_MS } = environment;
  const firstProbeMs = Math.min(FIRST_PROBE_MS, TEMPORAL_TIMEOUT_MS);
  let awaySince: number | undefined;
  let reachedAt = Number.NEGATIVE_INFINITY;
  let triedAt = Number.NEGATIVE_INFINITY;
  let probing = false;
  let probeMs = firstProbeMs;

  const givenUp = () => awaySince !== undefined && performance.now() - awaySince >= DIRECT_PERSIST_AFTER_MS;

  return {
    givenUp,
    rests: () => givenUp() && (probing || performance.now() - triedAt < PROBE_PAUSE_MS),

    async attempt(work) {
      const began = performance.now();
      const probe = givenUp();
      if (probe) probing = true;
      try {
        const result = await work(probe ? probeMs : TEMPORAL_TIMEOUT_MS);
        if (awaySince !== undefined) log.info('Temporal is back');
        awaySince = undefined;
        reachedAt = performance.now();
        probeMs = firstProbeMs;
        return result;
      } catch (error) {
        if (isTemporalUnreachable(error)) {
          // One whose starts take longer than the first probe would else never be back.
          if (probe) probeMs = Math.min(2 * probeMs, TEMPORAL_TIMEOUT_MS);
          if (awaySince === undefined) {
            // From when it was asked: one that hangs is noticed late, and writes wait meanwhile. But not where it answered others
            // since: then this attempt alone hung.
            awaySince = Math.max(began, reachedAt);
            log.warn({ err: error }, 'Temporal cannot be reached: batches wait, then are persisted directly');
          }
        }
        throw error;
      } finally {
        triedAt = performance.now();
        if (probe) probing = false;
      }
    },
  };
}
