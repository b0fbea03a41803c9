import { createHistogram } from './histogram.ts';
import type { LoadResult } from './load-messages.ts';
import { rowsOf } from './persisted.ts';
import type { System } from './system.ts';

/** How rows followed their acknowledgements. */
export interface Lag {
  /** Milliseconds from acknowledgement to row. */
  readonly p50: number;
  readonly p99: number;
  /**
   * Rows that were written within the measured time, for each write that was acknowledged within it. Below 1 the backlog
   * grew.
   */
  readonly keepsUp: number;
}

/**
 * Of writes to keys of their own that begin with `prefix`, after all are in PostgreSQL. A row's `updated_at` is when its
 * transaction began, by the clock of the machine that all run on: it is visible at its commit, some milliseconds later.
 * Nothing is asked while the load runs.
 */
export async function lagOf(
  system: System,
  prefix: string,
  { samples, from, until, measured }: LoadResult,
): Promise<Lag | undefined> {
  const { db } = system;
  if (db === undefined || samples.length === 0 || measured === 0) return undefined;
  const at = new Map(samples.map(([n, acknowledged]) => [`${prefix}${n}`, acknowledged]));
  const { rows } = await db.query<{ key: string; ms: number }>(
    `SELECT key, (extract(epoch FROM updated_at) * 1000)::float8 AS ms FROM ${rowsOf(system)} key = ANY($1)`,
    [[...at.keys()]],
  );
  const histogram = createHistogram();
  for (const { key, ms } of rows) histogram.record(ms - (at.get(key) ?? ms));
  const written = await db.query<{ n: number }>(
    `SELECT count(*)::integer AS n FROM ${rowsOf(system)} key >= $1 AND key < $2
     AND updated_at >= to_timestamp($3::float8 / 1000) AND updated_at < to_timestamp($4::float8 / 1000)`,
    [prefix, `${prefix}~`, from, until],
  );
  return {
    p50: histogram.quantile(0.5),
    p99: histogram.quantile(0.99),
    keepsUp: (written.rows[0]?.n ?? 0) / measured,
  };
}
