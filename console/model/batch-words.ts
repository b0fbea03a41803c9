import { count, until } from './format.ts';
import type { Batch } from './wire.ts';

/** For batches that Temporal does not know: where their writes may still be, and until when. */
export const LOST_REMEDY =
  "Check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE. Where Temporal's database lost them, their values are in Redis' cached entries at most, until those expire: read those entries and write them again.";

/** How often a batch was tried, and what comes next. `now`: ms since 1970. */
export function attemptsInWords(
  { state, attempts, paused, nextAttemptAt }: Pick<Batch, 'state' | 'attempts' | 'paused' | 'nextAttemptAt'>,
  now: number,
): string {
  if (state === 'unknown') return 'not known to be tried';
  if (state === 'ended') return 'queued again by itself';
  if (state === 'staged') return 'offered to Temporal again by itself';
  if (paused) return `${count(attempts)} tried, none before it is unpaused`;
  // Its activity was failed by hand more than once: the workflow pauses by itself.
  if (attempts === 0 && (state === 'stuck' || state === 'releasing')) return 'next within an hour';
  return `${count(attempts)} tried, next ${until(nextAttemptAt, now)}`;
}

/** Why a batch waits of which no failed attempt is known. */
export function whyInWords({
  state,
  attempts,
  paused,
}: Pick<Batch, 'state' | 'attempts' | 'paused'>): string {
  if (state === 'unknown') return `Redis names it, and Temporal does not know it. ${LOST_REMEDY}`;
  if (state === 'ended') {
    return 'Its workflow was ended by hand. Nothing is lost: its writes are queued again by themselves.';
  }
  if (state === 'staged') return 'It is in Redis, and not known to have reached Temporal.';
  if (paused) return 'Somebody paused it in Temporal: it goes on when unpaused there.';
  if (state === 'releasing') return 'It is in PostgreSQL; Redis is being told.';
  if (state === 'stuck' && attempts === 0) {
    return 'Its attempts were failed by hand. Its page in the Temporal UI says what happened; a retry brings the next one on.';
  }
  return 'No failed attempt: does a worker run?';
}
