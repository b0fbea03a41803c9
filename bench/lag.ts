import { createHistogram } from './histogram.ts';
import type { LoadResult } from './load-messages.ts';
import { rowsOf } from './persisted.ts';
import type { System } from './system.ts';

/** How rows followed their acknowledgements. */
export interface Lag {
  /** Milliseconds from acknowledgement to row. */
  readonly p50: number;
  readonly p99: number;
  /** Rows written in the time in which one write was acknowledged: {@link paceOf}. Below 1 the backlog grew. */
  readonly keepsUp: number | undefined;
}

/**
 * Of writes to keys of their own that begin with `prefix`, after all are in PostgreSQL. A row's `updated_at` is when its
 * transaction began, by the clock of the machine that all run on: it is visible at its commit, some milliseconds later.
 * Nothing is asked while the load runs.
 */
export async function lagOf(
  system: System,
  prefix: string,
  { samples, measured }: LoadResult,
): Promise<Lag | undefined> {
  const { db } = system;
  if (db === undefined || samples.length === 0 || measured === 0) return undefined;
  const at = new Map(samples.map(([n, acknowledged]) => [`${prefix}${n}`, acknowledged]));
  const { rows } = await db.query<{ key: string; ms: number }>(
    `SELECT key, (extract(epoch FROM updated_at) * 1000)::float8 AS ms FROM ${rowsOf(system)} key = ANY($1)`,
    [[...at.keys()]],
  );
  const histogram = createHistogram();
  const pairs = rows.map(({ key, ms }) => ({ acknowledged: at.get(key) ?? ms, written: ms }));
  for (const { acknowledged, written } of pairs) histogram.record(written - acknowledged);
  return { p50: histogram.quantile(0.5), p99: histogram.quantile(0.99), keepsUp: paceOf(pairs) };
}

/**
 * How fast rows are written where writes are acknowledged at a pace of 1: one over the slope of the line through all pairs
 * (least squares). Counting the rows of the measured time would say the same in the long run; but rows come by the
 * thousand, and one batch more or less is a sixth of what is written in a second and a half.
 */
export function paceOf(
  pairs: readonly { readonly acknowledged: number; readonly written: number }[],
): number | undefined {
  const mean = (of: (pair: (typeof pairs)[number]) => number) =>
    pairs.reduce((sum, pair) => sum + of(pair), 0) / pairs.length;
  const x = mean(({ acknowledged }) => acknowledged);
  const y = mean(({ written }) => written);
  const covariance = mean(({ acknowledged, written }) => (acknowledged - x) * (written - y));
  const variance = mean(({ acknowledged }) => (acknowledged - x) ** 2);
  return covariance > 0 ? variance / covariance : undefined;
}
