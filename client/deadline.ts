import { HoldfastClientError } from './holdfast-error.ts';

const DEFAULT_DEADLINE_MS = 15_000;
/** Node's timers fire at once where they are to wait for longer, in ms: some 25 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @throws TypeError where no call could have so much time. */
export function checkedDeadline(deadlineMs: number = DEFAULT_DEADLINE_MS): number {
  if (isDeadline(deadlineMs)) return deadlineMs;
  throw new TypeError(wrong(deadlineMs));
}

/**
 * The time of one call.
 * @throws HoldfastClientError where it can have none.
 */
export function deadlineOf(own: number | undefined, ofClient: number): number {
  if (own === undefined || isDeadline(own)) return own ?? ofClient;
  throw new HoldfastClientError('invalid-request', `${wrong(own)} Nothing was sent.`);
}

/** How long a timer is to wait, in ms: as close as it can come to forever. */
export function timerMs(ms: number): number {
  return Math.min(ms, LONGEST_TIMER_MS);
}

/** `NaN` is none. */
function isDeadline(ms: number): boolean {
  return ms > 0;
}

function wrong(ms: number): string {
  return `deadlineMs must be above 0, in ms, and ${ms} is not; Infinity is no limit.`;
}
