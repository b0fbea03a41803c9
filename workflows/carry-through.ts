import { sleep } from '@temporalio/workflow';
import type { Attempts, Ended, Failure } from './attempt.ts';

/** The ways to run one step, from quick to patient. */
export interface Step<T> {
  /** One short local activity attempt, for latency. */
  readonly quick: () => Promise<T>;
  /** A regular activity that retries without end, so that operators see attempts and last failure. */
  readonly steady: () => Promise<T>;
  /** A slowly retrying activity, after `steady` ended for good: it waits for an operator, or for the cause to go away. */
  readonly parked: () => Promise<T>;
  /** Asked before each further activity: is there still something to do? */
  readonly needed: () => boolean;
  /** Told before each further activity. */
  readonly onWaiting: (state: 'retrying' | 'stuck', failure: Failure | undefined) => void;
}

/**
 * `parked` retries whatever the activity throws, so it ends only by something else: an operator failed it by hand, or its
 * result cannot be stored. Each new activity adds the batch to the history once more, which must not fill up.
 */
const AFTER_PARKED_ENDED = '1 hour';

/**
 * Runs a step until it is done; `undefined` when it is no longer needed. Never gives up. An interruption (an operator who
 * acted) leads back to `steady`.
 */
export async function carryThrough<T>(attempts: Attempts, step: Step<T>): Promise<T | undefined> {
  let ended: Ended<T> = await attempts.run(step.quick);
  let failure = ended.kind === 'failed' ? ended.failure : undefined;
  let parked = false;
  while (ended.kind !== 'done') {
    if (!step.needed()) return undefined;
    step.onWaiting(parked ? 'stuck' : 'retrying', failure);
    ended = await attempts.run(parked ? step.parked : step.steady);
    if (ended.kind === 'failed') {
      failure = ended.failure;
      if (parked) {
        const pause = await attempts.run(() => sleep(AFTER_PARKED_ENDED));
        parked = pause.kind !== 'interrupted';
      } else {
        parked = true;
      }
    } else {
      parked = false;
    }
  }
  return ended.value;
}
