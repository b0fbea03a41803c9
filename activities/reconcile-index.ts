import { type Epoch, isForeign } from '../domain/epoch.ts';
import { partitionName } from '../domain/partition.ts';
import { createInstallationReader, type ReadInstallation } from '../storage/postgres/installation.ts';
import { readTopology } from '../storage/postgres/topology.ts';
import type { RedisStore } from '../storage/redis/client.ts';
import { EpochChanged, RedisOutcomeUnknown, RedisUnavailable } from '../storage/redis/errors.ts';
import { sweepPage } from '../storage/redis/sweep.ts';
import { isTemporalUnreachable } from '../storage/temporal/errors.ts';
import { lookAfter, type SweepNews } from '../storage/upkeep/look-after.ts';
import { reportSweep, type SweepReport } from '../storage/upkeep/report-sweep.ts';
import type { PruneDeps } from './prune-tombstones.ts';

/** The pages of an index with every slot and every staged batch full, several times over. */
const MAX_PAGES = 2_000;

/** What a pass comes upon is told as the API processes tell it: where it is first, they find nothing any more. */
export type ReconcileDeps = PruneDeps & SweepReport;

/** What one pass over the pending index of every partition came upon. */
export interface ReconcileResult {
  readonly partitions: number;
  /** Batches whose workflow was looked at: confirmed a while ago, and not yet released. */
  readonly batches: number;
  /** Of them: releases that were lost, and are redone. */
  readonly released: number;
  /** Of them: their workflow ended with the writes inside, and they go on in another run. */
  readonly queuedAgain: number;
  /** Index entries that named a batch which nobody has, and are removed. */
  readonly forgotten: number;
  /** What could not be looked at, and why. Another pass is soon enough. */
  readonly skipped: readonly string[];
}

type Counts = { -readonly [K in keyof Omit<ReconcileResult, 'partitions' | 'skipped'>]: number };

/**
 * Walks through the whole pending index of every partition, and all confirmed batches. Every API process does the same all the
 * time, a page every few seconds; this pass is complete, and its result stays in the history. Both may run at once.
 * @throws errors of PostgreSQL as `pg` gave them; the signal's reason.
 */
export async function reconcile(deps: ReconcileDeps, signal: AbortSignal): Promise<ReconcileResult> {
  const topology = await readTopology(deps.db);
  const installation = createInstallationReader(deps.db);
  const counts: Counts = { batches: 0, released: 0, queuedAgain: 0, forgotten: 0 };
  const skipped: string[] = [];
  if (topology === undefined) skipped.push('no API process has used this database yet');
  const partitions = topology?.partitions ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    try {
      await reconcilePartition(deps, partition, { installation, counts, skipped, signal });
    } catch (error) {
      const reason = passing(error);
      if (reason === undefined) throw error;
      skipped.push(`${partitionName(partition)}: ${reason}`);
    }
  }
  return { partitions, ...counts, skipped };
}

async function reconcilePartition(
  { redis, temporal, environment, ...report }: ReconcileDeps,
  partition: number,
  pass: {
    readonly installation: ReadInstallation;
    readonly counts: Counts;
    readonly skipped: string[];
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const tell = (news: SweepNews) => {
    reportSweep(report, news);
    count(pass, partition, news);
  };
  const deps = { redis, temporal, deadlineMs: environment.TEMPORAL_TIMEOUT_MS, tell };
  const epoch = await currentEpoch(redis, partition);
  if (isForeign(epoch, await pass.installation())) {
    pass.skipped.push(`${partitionName(partition)}: Redis holds the data of another Holdfast database`);
    return;
  }
  const olderThanMs = 2 * environment.SWEEP_INTERVAL_MS;
  let cursor = '0';
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    pass.signal.throwIfAborted();
    const page = await sweepPage(redis, { partition, epoch, olderThanMs, cursor });
    // The confirmed batches come with every page; once is enough.
    const confirmed = pages === 0 ? page.confirmed : [];
    pass.counts.batches += confirmed.length;
    await lookAfter(deps, { partition, epoch }, { ...page, confirmed });
    cursor = page.cursor;
    if (cursor === '0') return;
  }
  pass.skipped.push(`${partitionName(partition)}: its index is larger than one pass looks at`);
}

/** @throws EpochChanged where the partition must be recovered first: that is the API processes' to begin. */
async function currentEpoch(redis: RedisStore, partition: number): Promise<Epoch> {
  try {
    // No epoch is empty: the refusal tells which one it is.
    await sweepPage(redis, { partition, epoch: '', olderThanMs: Number.MAX_SAFE_INTEGER, cursor: '0' });
  } catch (error) {
    if (error instanceof EpochChanged && error.current !== '') return error.current;
    throw error;
  }
  throw new Error('Redis took an empty epoch for a valid one');
}

function count(
  { counts, skipped }: { readonly counts: Counts; readonly skipped: string[] },
  partition: number,
  news: SweepNews,
): void {
  switch (news.found) {
    case 'lost-release':
      counts.released += 1;
      return;
    case 'ended-batch':
      counts.queuedAgain += 1;
      return;
    case 'dangling':
      counts.forgotten += news.entries;
      return;
    case 'unknown-run':
      skipped.push(
        `${partitionName(partition)}: Temporal does not know the workflow of ${news.batch.batchId}`,
      );
      return;
    case 'trouble':
      skipped.push(`${partitionName(partition)}: ${news.batch.batchId} could not be read`);
  }
}

/** Why a partition is left for the next pass; `undefined` where that would not help. */
function passing(error: unknown): string | undefined {
  if (error instanceof EpochChanged) return 'it must be recovered in Redis first';
  if (error instanceof RedisUnavailable || error instanceof RedisOutcomeUnknown) {
    return `Redis did not answer: ${error.message}`;
  }
  return isTemporalUnreachable(error) ? `Temporal could not be asked: ${error.message}` : undefined;
}
