import { HoldfastError } from '../../domain/errors.ts';
import { allPartitions } from '../../domain/partition.ts';
import { countDeadLetters } from '../../storage/postgres/dead-letters.ts';
import { rowsWritten } from '../../storage/postgres/rows-written.ts';
import { EpochChanged } from '../../storage/redis/errors.ts';
import type { PartitionOverview } from '../../storage/redis/overview.ts';
import type { Context } from '../context.ts';
import { beforeDeadline } from '../deadline.ts';
import { ownOverview } from '../own-redis.ts';
import { unavailable } from '../trouble.ts';
import { createBatchLooks } from './batch-looks.ts';
import { runsOf, summarizePartition, total } from './summarize.ts';
import type { Summary, Unknown, Waiting } from './summary-types.ts';

/** For Redis, then for Temporal; for PostgreSQL meanwhile. Whoever asks would rather have a part of the answer than wait. */
const SUMMARY_MS = 1_500;
/** Dashboards and metrics that ask more often share one look. */
const KEEP_MS = 1_000;

type Found<T> = { readonly value: T } | { readonly unknown: Unknown };

/**
 * All that is not yet in PostgreSQL, from the state of the partitions in Redis and from Describe, never from a listing: those
 * lag behind. Takes three seconds at most and never throws: what a dependency did not say is `unknown`.
 */
export function createSummary(ctx: Context): () => Promise<Summary> {
  const { PARTITIONS, SLOTS } = ctx.environment;
  const looks = createBatchLooks(ctx);

  async function overviewOf(partition: number, deadlineAt: number): Promise<Found<PartitionOverview>> {
    return await found('redis', beforeDeadline(ownOverview(ctx, partition), deadlineAt));
  }

  async function inPostgres(): Promise<Pick<Summary, 'deadLetters' | 'rowsWritten'>> {
    return { deadLetters: await countDeadLetters(ctx.db), rowsWritten: await rowsWritten(ctx.db) };
  }

  async function summarize(): Promise<Summary> {
    const deadlineAt = performance.now() + SUMMARY_MS;
    const counting = found('postgres', beforeDeadline(inPostgres(), deadlineAt));
    const partitions = allPartitions(PARTITIONS);
    const overviews = await Promise.all(partitions.map((partition) => overviewOf(partition, deadlineAt)));
    const now = Date.now();
    const runs = overviews.map((overview, partition) =>
      runsOf(partition, SLOTS, 'value' in overview ? overview.value : undefined),
    );
    const trouble = await looks.refresh(runs.flat(), performance.now() + SUMMARY_MS);
    const temporal = trouble === undefined ? [] : [unknownOf('temporal', trouble)];
    const summaries = overviews.map((overview, partition) => {
      const known = 'value' in overview ? overview.value : undefined;
      return summarizePartition({
        partition,
        slots: SLOTS,
        overview: known,
        runs: (runs[partition] ?? []).map((run) => {
          const look = looks.last(run);
          return { run, batch: look === undefined ? undefined : (look.batch ?? 'none') };
        }),
        now: known === undefined ? now : known.now / 1_000,
        unknown: [...('unknown' in overview ? [overview.unknown] : []), ...temporal],
      });
    });
    const counted = await counting;
    const all = total(summaries);
    return {
      at: new Date(now),
      allPersisted: allPersisted(all),
      ...all,
      ...('value' in counted ? counted.value : { deadLetters: null, rowsWritten: null }),
      unknown: [...all.unknown, ...('unknown' in counted ? [counted.unknown] : [])],
      partitions: summaries,
    };
  }

  let latest: Promise<Summary> | undefined;
  let keptUntil = 0;
  return () => {
    if (latest === undefined || performance.now() > keptUntil) {
      keptUntil = Number.POSITIVE_INFINITY;
      latest = summarize().finally(() => {
        keptUntil = performance.now() + KEEP_MS;
      });
    }
    return latest;
  };
}

/**
 * An empty index does not say it alone: it names one batch for each entry, so where that one's write was discarded, an older
 * one may wait in a batch that nothing names.
 */
function allPersisted({ pendingEntries, stagedEntries, oldestAgeSeconds, batches }: Waiting): boolean | null {
  if (pendingEntries === null || stagedEntries === null) return oldestAgeSeconds === null ? null : false;
  const { staged, persisting, retrying, stuck, ended } = batches;
  if (pendingEntries + stagedEntries + staged + persisting + retrying + stuck + ended > 0) return false;
  return batches.unknown > 0 ? null : true;
}

async function found<T>(dependency: Unknown['dependency'], asked: Promise<T>): Promise<Found<T>> {
  try {
    return { value: await asked };
  } catch (error) {
    return { unknown: unknownOf(dependency, error) };
  }
}

/** Why a dependency did not say. An error of our own making is told by its class, whatever its text may quote. */
function unknownOf(dependency: Unknown['dependency'], error: unknown): Unknown {
  if (error instanceof EpochChanged) {
    return {
      dependency,
      problem: 'Redis lost its memory of this partition: it is recovered by the next request.',
    };
  }
  const known = unavailable(error);
  if (!(known instanceof HoldfastError)) return { dependency, problem: 'unexpected' };
  return { dependency, problem: known.code === 'deadline-exceeded' ? 'no answer in time' : known.message };
}
