import type { BatchCounts, Summary } from './wire.ts';

/** How far back the charts go, in s. */
export const HISTORY_S = 600;
/** Rates are means of so long: PostgreSQL tells its counts with a delay of up to a second. */
const RATE_S = 10;

/** Entries a second that reached a state, of the whole system. `null`: not known. */
export interface Rates {
  /** Accepted: in Redis, or further. */
  readonly accepted: number | null;
  /** In Temporal, or further. */
  readonly queued: number | null;
  /** In PostgreSQL; write-through included. */
  readonly persisted: number | null;
}

/** What the charts show of one summary. */
export interface Sample {
  /** Seconds since 1970. */
  readonly at: number;
  readonly pending: number | null;
  readonly staged: number | null;
  readonly ageSeconds: number | null;
  readonly batches: BatchCounts;
  /** The last count that was heard: while PostgreSQL is out of reach, none grows. */
  readonly rows: number | null;
  readonly rates: Rates;
}

const UNKNOWN: Rates = { accepted: null, queued: null, persisted: null };

/**
 * Adds a summary to the samples, oldest first, and forgets those that are too old. One that was seen already changes nothing.
 *
 * Nobody counts what reaches each state, over all processes; but what goes into a state either stays there or goes on. So what
 * was accepted is what reached PostgreSQL and what the number of waiting entries grew by, and likewise for what was queued.
 */
export function remember(samples: readonly Sample[], summary: Summary): readonly Sample[] {
  const at = Date.parse(summary.at) / 1_000;
  const last = samples.at(-1);
  if (last !== undefined && at <= last.at) return samples;
  const { pendingEntries: pending, stagedEntries: staged, batches } = summary;
  const nothingWaits = summary.oldestAgeSeconds === null && pending === 0;
  const ageSeconds = nothingWaits ? 0 : summary.oldestAgeSeconds;
  const now: Measured = {
    at,
    pending,
    staged,
    ageSeconds,
    batches,
    rows: summary.rowsWritten ?? last?.rows ?? null,
  };
  const kept = samples.filter((sample) => sample.at > at - HISTORY_S);
  const known = [...kept.filter((sample) => sample.at >= at - RATE_S), now];
  return [...kept, { ...now, rates: ratesIn(known) }];
}

type Measured = Omit<Sample, 'rates'>;

/** From samples of some seconds, oldest first. */
function ratesIn(samples: readonly Measured[]): Rates {
  const persisted = growth(samples, ({ rows }) => rows);
  // PostgreSQL began to count again.
  if (persisted === null || persisted < 0) return UNKNOWN;
  const reached = (grown: number | null) => (grown === null ? null : Math.max(0, persisted + grown));
  return {
    accepted: reached(growth(samples, ({ pending }) => pending)),
    queued: reached(growth(samples, inTemporal)),
    persisted,
  };
}

/** By how much a second a figure grew; `null` where it is not known now, or was not before. */
function growth(samples: readonly Measured[], of: (sample: Measured) => number | null): number | null {
  const [first] = samples.filter((sample) => of(sample) !== null);
  const last = samples.at(-1);
  if (first === undefined || last === undefined || first.at === last.at) return null;
  const [from, to] = [of(first), of(last)];
  return from === null || to === null ? null : (to - from) / (last.at - first.at);
}

function inTemporal({ pending, staged }: Measured): number | null {
  return pending === null || staged === null ? null : Math.max(0, pending - staged);
}
