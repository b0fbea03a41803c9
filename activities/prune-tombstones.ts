import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { longestCommitMs } from '../config/commit-deadline.ts';
import type { Environment } from '../config/environment.ts';
import type { BatchId } from '../domain/batch.ts';
import { partitionName } from '../domain/partition.ts';
import type { Version } from '../domain/version.ts';
import type { Database } from '../storage/postgres/database-types.ts';
import { forgetRefused } from '../storage/postgres/fence.ts';
import { removeOldRecords } from '../storage/postgres/idempotency-records.ts';
import { pruneTombstones, readPruneFloor } from '../storage/postgres/prune-tombstones.ts';
import { readTopology, type Topology } from '../storage/postgres/topology.ts';
import type { RedisStore } from '../storage/redis/client.ts';
import {
  EpochChanged,
  RedisOutcomeUnknown,
  RedisOutOfMemory,
  RedisUnavailable,
} from '../storage/redis/errors.ts';
import { oldestInRedis } from '../storage/redis/oldest.ts';
import type { Temporal } from '../storage/temporal/client.ts';
import { isTemporalUnreachable, UnreadableBatch } from '../storage/temporal/errors.ts';
import { readSlots } from '../storage/temporal/read-slots.ts';

export interface PruneDeps {
  readonly environment: Environment;
  readonly db: Kysely<Database>;
  readonly redis: RedisStore;
  readonly temporal: Temporal;
}

/** For each call to Temporal, in ms. Nobody waits for pruning, and one that is skipped waits for the next run. */
const CALL_MS = 20_000;

/** A busy server turns single calls away, and there is one for each slot. */
const TRIES = 3;
const PAUSE_MS = 1_000;

/** What one pruning did. */
export interface PruneResult {
  /** How many tombstones were removed. */
  readonly pruned: number;
  /** The highest version of a tombstone that was ever removed. */
  readonly floor: Version;
  /** How many idempotency records were removed for their age, if any were. */
  readonly records?: number;
  /** How many records of refused batches were removed that no slot holds any more, if any were. */
  readonly refused?: number;
  /** Why nothing was pruned, or not everything. */
  readonly skipped?: string;
}

/** Why pruning has to wait. For operators: no user data. */
class NotNow extends Error {}

/**
 * Removes what is not needed any more: idempotency records by their age, records of refused batches, and the tombstones that
 * no older write can follow. Redis is asked before Temporal: a batch that leaves Redis in between is found in its slot. Whatever
 * is not known for certain (an answer that is missing, a partition that must be recovered) means that nothing is pruned this
 * time: a tombstone that stays costs a row, one too few brings an entry back.
 * @throws errors of PostgreSQL as `pg` gave them; the signal's reason.
 */
export async function prune(deps: PruneDeps, signal: AbortSignal): Promise<PruneResult> {
  const records = await removeOldRecords(deps.db, deps.environment.IDEMPOTENCY_RETENTION_MS, { signal });
  const result = await pruneRipe(deps, signal);
  return records === 0 ? result : { ...result, records };
}

async function pruneRipe(deps: PruneDeps, signal: AbortSignal): Promise<PruneResult> {
  const { environment, db } = deps;
  try {
    // As recorded: with other numbers, pending writes would be overlooked.
    const topology = await readTopology(db);
    if (topology === undefined) throw new NotNow('no API process has used this database yet');
    const inRedis = await lowestInRedis(deps, topology, signal);
    const inSlots = await lowestInSlots(deps, topology, signal);
    const minAgeMs = Math.max(
      environment.TOMBSTONE_MIN_AGE_MS,
      longestCommitMs(environment) + environment.CLOCK_TOLERANCE_MS,
    );
    const refused = await forgetRefused(db, { inSlots: inSlots.batches, minAgeMs });
    const { complete, ...pruned } = await pruneTombstones(db, {
      below: Math.min(inRedis, inSlots.lowest),
      minAgeMs,
      partitions: topology.partitions,
      signal,
    });
    const done = refused === 0 ? pruned : { ...pruned, refused };
    return complete
      ? done
      : { ...done, skipped: 'batches kept PostgreSQL busy: what is left is pruned next time' };
  } catch (error) {
    if (!(error instanceof NotNow)) throw error;
    return { pruned: 0, floor: await readPruneFloor(db), skipped: error.message };
  }
}

/** At or below every version that waits in Redis, and below every version that it will give out. */
async function lowestInRedis(
  { redis }: PruneDeps,
  { partitions }: Topology,
  signal: AbortSignal,
): Promise<Version> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let partition = 0; partition < partitions; partition++) {
    signal.throwIfAborted();
    const { clock, pending } = await oldestInRedis(redis, partition).catch((error: unknown) => {
      throw ofRedis(error, partition);
    });
    lowest = Math.min(lowest, clock, pending ?? clock);
  }
  return lowest;
}

/** The batches in Temporal, and a version at or below every one that waits there. */
async function lowestInSlots(
  { temporal, environment }: PruneDeps,
  { partitions, slots }: Topology,
  signal: AbortSignal,
): Promise<{ readonly lowest: Version; readonly batches: readonly BatchId[] }> {
  let lowest = Number.POSITIVE_INFINITY;
  const batches: BatchId[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    signal.throwIfAborted();
    const each = { queryTimeoutMs: environment.QUERY_TIMEOUT_MS, deadlineMs: CALL_MS };
    const occupied = await insisting(() => readSlots(temporal, { partition, slots, ...each }), signal).catch(
      (error: unknown) => {
        throw ofTemporal(error, partition);
      },
    );
    for (const { batchId, mutations } of occupied) {
      batches.push(batchId);
      for (const { version } of mutations) lowest = Math.min(lowest, version);
    }
  }
  return { lowest, batches };
}

async function insisting<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === TRIES || !isTemporalUnreachable(error)) throw error;
      await sleep(PAUSE_MS, undefined, { signal });
    }
  }
}

function ofRedis(error: unknown, partition: number): unknown {
  if (error instanceof EpochChanged) {
    return new NotNow(`partition ${partitionName(partition)} must be recovered in Redis first`);
  }
  const unanswered =
    error instanceof RedisUnavailable ||
    error instanceof RedisOutcomeUnknown ||
    error instanceof RedisOutOfMemory;
  return unanswered ? new NotNow(`Redis did not answer: ${error.message}`) : error;
}

function ofTemporal(error: unknown, partition: number): unknown {
  const name = partitionName(partition);
  if (isTemporalUnreachable(error)) {
    return new NotNow(`the slots of partition ${name} could not be asked: ${error.message}`);
  }
  // A slot that this version cannot read may hold anything.
  return error instanceof UnreadableBatch ? new NotNow(`partition ${name}: ${error.message}`) : error;
}
