import { crashPoint } from '../../config/crash-points.ts';
import type { BatchId } from '../../domain/batch.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { type DrainDecision, encodeDecision } from './drain.ts';
import { partitionKeys } from './keys.ts';
import { list, number, pairs, statusOf, text } from './reply.ts';

/**
 * The partition's epoch (`undefined` where it must be recovered first), the one that is named even so ('' where none is), and
 * Redis' time in µs: scripts/hello.lua.
 * @throws RedisUnavailable, RedisOutcomeUnknown.
 */
export async function currentEpoch(
  redis: RedisStore,
  partition: number,
): Promise<{ readonly epoch: Epoch | undefined; readonly named: Epoch | ''; readonly now: number }> {
  const reply = await redis.run('hello', [partitionKeys(partition).state], []);
  const now = number(reply, 1);
  redis.learnTime(now);
  return { epoch: text(reply, 0) || undefined, named: text(reply, 2), now };
}

export type RecoveryLock =
  | { readonly outcome: 'valid'; readonly epoch: Epoch }
  | { readonly outcome: 'busy' }
  | {
      readonly outcome: 'locked';
      /** Of the Redis process and its data: installing checks that it is still the same. */
      readonly identity: string;
      readonly oldEpoch: Epoch | '';
      /** Entry ids of the counters in batches that survived in Redis. */
      readonly counters: readonly string[];
      /** Writes with idempotency records in those batches. */
      readonly keyed: readonly { readonly id: string; readonly version: Version }[];
    };

/** Begins a recovery: scripts/lock.lua. An epoch numbered below `minEpochNumber` counts as lost memory. */
export async function lockForRecovery(
  redis: RedisStore,
  partition: number,
  options: { readonly token: string; readonly lockMs: number; readonly minEpochNumber: number },
): Promise<RecoveryLock> {
  const keys = partitionKeys(partition);
  const reply = await redis.run(
    'lock',
    [keys.state, keys.open, keys.closed, keys.lock, ...keys.toCome],
    [options.token, options.lockMs, options.minEpochNumber],
  );
  const status = statusOf(reply);
  if (status === 'valid') return { outcome: 'valid', epoch: text(reply, 1) };
  if (status === 'busy') return { outcome: 'busy' };
  return {
    outcome: 'locked',
    identity: text(reply, 1),
    oldEpoch: text(reply, 2),
    counters: list(reply, 3),
    keyed: pairs(reply, 4).map(([id, version]) => ({ id, version: Number(version) })),
  };
}

/** A mutation that is not yet persisted, of a batch that Temporal holds and the fence adopted. */
export interface RecoveredMutation {
  readonly id: string;
  readonly version: Version;
  readonly batchId: BatchId;
  /** Idempotency records as the mutation carries them. */
  readonly records?: string | undefined;
}

/** Entries of one call: a script stops all of Redis while it runs. */
const PAGE = 1_000;

/** Hands the pending mutations over, page by page: scripts/prepare.lua. `false` where the lock was lost. */
async function preparePending(
  redis: RedisStore,
  partition: number,
  { token, pending }: Pick<RecoveredPartition, 'token' | 'pending'>,
): Promise<boolean> {
  const keys = partitionKeys(partition);
  const newest = new Map<string, RecoveredMutation>();
  for (const mutation of pending) {
    const held = newest.get(mutation.id);
    if (held === undefined || held.version < mutation.version) newest.set(mutation.id, mutation);
  }
  const entries = [...newest.values()];
  const keyed = pending.filter(({ records = '' }) => records !== '');
  for (let from = 0; from < Math.max(entries.length, keyed.length); from += PAGE) {
    const page = entries.slice(from, from + PAGE);
    const reply = await redis.run(
      'prepare',
      [keys.lock, ...keys.toCome],
      [
        token,
        page.length,
        ...page.flatMap(({ id, version, batchId }) => [id, version, batchId]),
        ...keyed.slice(from, from + PAGE).flatMap(({ records = '', batchId }) => [records, batchId]),
      ],
    );
    if (statusOf(reply) !== 'ok') return false;
  }
  return true;
}

/** A write that was dead-lettered or discarded. `batchId` and `records` are of a batch that Temporal holds. */
export interface SetAsideWrite {
  readonly id: string;
  readonly version: Version;
  readonly batchId?: BatchId;
  readonly records?: string | undefined;
}

/** The version of the row of an entry that survived in Redis: at or below it, what survived is dropped with its records. */
export interface SurvivorRow {
  readonly id: string;
  readonly version: Version;
}

export interface RecoveredPartition {
  readonly token: string;
  readonly identity: string;
  readonly epoch: Epoch;
  readonly clock: Version;
  readonly slots: number;
  readonly blockMs: number;
  /** Batches that Temporal holds and the fence adopted. */
  readonly adopted: readonly { readonly slot: number; readonly batchId: BatchId; readonly runId: string }[];
  readonly pending: readonly RecoveredMutation[];
  /** Writes that will never reach their rows; with batch and records where these are not among `pending`. */
  readonly setAside: readonly SetAsideWrite[];
  /** Rows that entries which survived in Redis are held against. */
  readonly rows: readonly SurvivorRow[];
  readonly drain: DrainDecision;
}

/**
 * Ends a recovery: scripts/prepare.lua as often as it takes, of which nothing counts before scripts/install.lua. `false`
 * where lock or Redis process are no longer the same: begin again.
 * @throws RedisUnavailable, RedisOutcomeUnknown.
 */
export async function installEpoch(
  redis: RedisStore,
  partition: number,
  recovered: RecoveredPartition,
): Promise<boolean> {
  if (!(await preparePending(redis, partition, recovered))) return false;
  crashPoint('after-prepare');
  const keys = partitionKeys(partition);
  const clock = recovered.pending.reduce((max, { version }) => Math.max(max, version), recovered.clock);
  const reply = await redis.run(
    'install',
    [
      ...[keys.state, keys.open, keys.closed, keys.queue, keys.sent, keys.free, keys.index, keys.blocks],
      ...[keys.lock, keys.records, keys.carried, ...keys.toCome],
    ],
    [
      recovered.token,
      recovered.identity,
      recovered.epoch,
      keys.name,
      clock,
      recovered.slots,
      recovered.blockMs * 1_000,
      recovered.adopted.map((batch) => `${batch.slot} ${batch.batchId} ${batch.runId}`).join('\n'),
      encodeDecision(recovered.drain),
      recovered.rows.length,
      ...recovered.rows.flatMap((row) => [row.id, row.version]),
      ...recovered.setAside.flatMap(({ id, version, batchId = '', records = '' }) => [
        ...[id, version, batchId, records],
      ]),
    ],
  );
  return statusOf(reply) === 'ok';
}

/** Prolongs the lock of a recovery: scripts/renew.lua. `false` where it was lost: installing will fail. */
export async function renewRecovery(
  redis: RedisStore,
  partition: number,
  options: { readonly token: string; readonly lockMs: number },
): Promise<boolean> {
  const reply = await redis.run('renew', [partitionKeys(partition).lock], [options.token, options.lockMs]);
  return statusOf(reply) === 'ok';
}

/** Gives a failed recovery's lock back: scripts/unlock.lua. */
export async function unlockRecovery(redis: RedisStore, partition: number, token: string): Promise<void> {
  await redis.run('unlock', [partitionKeys(partition).lock], [token]);
}
