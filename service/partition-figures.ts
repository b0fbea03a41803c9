import { LRUCache } from 'lru-cache';
import { parseBatchId } from '../domain/batch.ts';
import { epochNumber } from '../domain/epoch.ts';
import type { Version } from '../domain/version.ts';
import { oldestVersion, secondsSince } from '../storage/postgres/persist-and-report.ts';
import { type ConfirmedBatch, figuresInRedis, type RedisFigures } from '../storage/redis/figures.ts';
import { describeBatch } from '../storage/temporal/describe-batch.ts';
import { readInput } from '../storage/temporal/history-events.ts';
import type { PartitionFigures } from '../telemetry/metrics.ts';
import type { Context } from './context.ts';

/** For each question to Temporal, in ms. */
const ASK_MS = 1_500;
/** How many open batches of a partition are asked how they stand, the oldest first. */
const MOST_ASKED = 64;
const KNOWN_RUNS = 1_000;

/**
 * How much of each partition waits, and for how long: from Redis' partition state, and from Temporal for what Redis gave away.
 * A partition that Redis cannot tell about, or that must be recovered, is left out.
 */
export function createPartitionFigures(ctx: Context): () => Promise<PartitionFigures[]> {
  const { PARTITIONS, SLOTS } = ctx.environment;
  // A run's content never changes.
  const oldestOfRun = new LRUCache<string, Version>({ max: KNOWN_RUNS });

  async function oldestIn(partition: number, batch: ConfirmedBatch): Promise<Version> {
    const { slot, runId } = batch;
    const known = oldestOfRun.get(runId);
    if (known !== undefined) return known;
    try {
      const input = await readInput(ctx.temporal, { partition, slot, runId, deadlineMs: ASK_MS });
      if (input === undefined) return batch.confirmedAt;
      const oldest = oldestVersion(input);
      oldestOfRun.set(runId, oldest);
      return oldest;
    } catch {
      // Too young by the time that it waited in Redis, and right enough until Temporal answers.
      return batch.confirmedAt;
    }
  }

  async function standing(partition: number, { slot, runId }: ConfirmedBatch): Promise<string> {
    try {
      return await describeBatch(ctx.temporal, { partition, slot, runId, deadlineMs: ASK_MS });
    } catch {
      return 'unknown';
    }
  }

  async function figuresOf(partition: number): Promise<PartitionFigures> {
    const found = await figuresInRedis(ctx.redis, partition);
    const confirmed = [...found.confirmed].sort(byAge);
    const [oldest] = confirmed;
    const [standings, oldestConfirmed] = await Promise.all([
      Promise.all(confirmed.slice(0, MOST_ASKED).map((batch) => standing(partition, batch))),
      oldest === undefined ? undefined : oldestIn(partition, oldest),
    ]);
    const times = [found.oldestStaged, oldestConfirmed].filter((time) => time !== undefined);
    return {
      partition,
      epoch: epochNumber(found.epoch),
      pendingEntries: found.pendingEntries,
      stagedEntries: found.stagedEntries,
      batches: counted(found, standings, confirmed.length - standings.length),
      oldestSeconds: times.length === 0 ? 0 : secondsSince(Math.min(...times), found.now),
      slots: SLOTS,
      slotsInUse: SLOTS - found.freeSlots,
    };
  }

  return async () => {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => figuresOf(partition));
    return (await Promise.allSettled(partitions)).flatMap((one) =>
      one.status === 'fulfilled' ? [one.value] : [],
    );
  };
}

/** Every state is counted, those with none as 0: an alert can only miss what has no series. */
function counted(
  { unsentBatches, offeredBatches }: RedisFigures,
  standings: readonly string[],
  notAsked: number,
): Record<string, number> {
  const counts: Record<string, number> = {
    staged: unsentBatches,
    offered: offeredBatches,
    persisting: 0,
    retrying: 0,
    stuck: 0,
    releasing: 0,
    settled: 0,
    ended: 0,
    unknown: notAsked,
  };
  for (const state of standings) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** Batches are numbered as they began. */
function byAge(a: ConfirmedBatch, b: ConfirmedBatch): number {
  const [one, two] = [parseBatchId(a.batchId), parseBatchId(b.batchId)];
  if (one === undefined || two === undefined) return 0;
  return epochNumber(one.epoch) - epochNumber(two.epoch) || one.number - two.number;
}
