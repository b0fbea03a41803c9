import type { Kysely } from 'kysely';
import { type Batch, oldestVersion } from '../../domain/batch.ts';
import type { PersistMetrics, PersistReport } from '../../telemetry/metrics.ts';
import type { Database } from './database-types.ts';
import { isUnreachable, sqlState } from './errors.ts';
import { persistBatch } from './persist-batch.ts';
import type { PersistOutcome } from './types.ts';

export interface ReportOptions {
  readonly via: PersistReport['via'];
  readonly metrics: PersistMetrics;
  /** As {@link persistBatch} has it. */
  readonly signal?: AbortSignal;
}

/** `persistBatch`, and tells the metrics what came of it. Throws as that does. */
export async function persistAndReport(
  db: Kysely<Database>,
  batch: Batch,
  { via, metrics, signal }: ReportOptions,
): Promise<PersistOutcome> {
  const began = performance.now();
  const report = (about: Pick<PersistReport, 'outcome' | 'errorClass' | 'deadLetters'>) =>
    metrics.persisted({
      ...about,
      via,
      seconds: (performance.now() - began) / 1_000,
      ageSeconds: secondsSince(oldestVersion(batch.mutations), Date.now() * 1_000),
    });
  try {
    const outcome = await persistBatch(db, batch, signal === undefined ? {} : { signal });
    report({ outcome: outcome.outcome, deadLetters: freshlyRefused(outcome) });
    return outcome;
  } catch (error) {
    report({ outcome: 'failed', errorClass: errorClass(error, signal), deadLetters: [] });
    throw error;
  }
}

/** From one time in µs to another, in seconds; 0 where the clocks differ so much that it would be less. */
export function secondsSince(version: number, nowMicros: number): number {
  return Math.max(0, nowMicros - version) / 1_000_000;
}

/** Classes of the SQLSTATEs of what this attempt set aside: what a person discarded has none. */
function freshlyRefused(outcome: PersistOutcome): string[] {
  if (outcome.outcome === 'refused') return [];
  return outcome.setAside.flatMap(({ sqlstate, fresh }) =>
    fresh === true && sqlstate !== null ? [sqlstate.slice(0, 2)] : [],
  );
}

function errorClass(error: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted === true) return 'cancelled';
  return sqlState(error)?.slice(0, 2) ?? (isUnreachable(error) ? 'unreachable' : 'unexpected');
}
