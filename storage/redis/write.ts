import type { BatchId, BatchLimits } from '../../domain/batch.ts';
import type { WriteCondition } from '../../domain/condition.ts';
import { type EntryKind, type EntryRef, entryId } from '../../domain/entry.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { IdempotencyKey } from '../../domain/idempotency.ts';
import { mutationTag } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { number, partsOf, type ScriptReply, statusOf, text } from './reply.ts';

/** What every staged write says about where and how. */
export interface StageOptions {
  readonly partition: number;
  readonly epoch: Epoch;
  /** Redis time in µs past which the script must not run any more; asked for when it is sent. */
  readonly notAfter: () => number;
  readonly ttlMs: number;
  readonly limits: BatchLimits;
  /** Closed batches that may wait for a slot. */
  readonly maxQueued: number;
  readonly condition?: WriteCondition | undefined;
  readonly once?: Once | undefined;
}

/** A write that must not happen twice. */
export interface Once extends IdempotencyKey {
  /** At first one that was never used before, then the one that `check` answered. */
  readonly token: string;
}

export type StageOutcome =
  | {
      readonly outcome: 'staged';
      readonly version: Version;
      readonly batchId: BatchId;
      readonly value?: number;
    }
  /** Redis' time was past `notAfter`. Nothing happened. */
  | { readonly outcome: 'late' }
  /** Too many batches wait. Nothing happened. */
  | { readonly outcome: 'full' }
  /** An operator lets the queue empty. Nothing happened. */
  | { readonly outcome: 'draining' }
  /** The script needs the entry in the cache: fill it and try again. */
  | { readonly outcome: 'miss' }
  /** The condition does not hold; 0 where the entry does not exist. */
  | { readonly outcome: 'condition'; readonly version: Version }
  | { readonly outcome: 'overflow' }
  /** A write with this Idempotency-Key happened before, and its batch is not released yet. Nothing happened now. */
  | {
      readonly outcome: 'replay';
      readonly fingerprint: string;
      readonly version: Version;
      readonly batchId: BatchId;
      /** Whether Temporal has the batch. */
      readonly queued: boolean;
      /** Of a counter after an increment. */
      readonly value?: number;
    }
  /** Redis has no record of the Idempotency-Key: ask PostgreSQL, then try again with this token. Nothing happened. */
  | { readonly outcome: 'check'; readonly token: string };

function conditionArgument(condition: WriteCondition | undefined): string {
  if (condition === undefined) return '';
  return 'ifAbsent' in condition ? '-' : `=${condition.ifVersion}`;
}

function outcomeOf(redis: RedisStore, reply: ScriptReply): StageOutcome {
  const status = statusOf(reply);
  switch (status) {
    case 'ok': {
      redis.learnTime(number(reply, 3));
      const staged = { outcome: 'staged', version: number(reply, 1), batchId: text(reply, 2) } as const;
      return reply.length > 4 ? { ...staged, value: Number(text(reply, 4)) } : staged;
    }
    case 'late':
      redis.learnTime(number(reply, 1));
      return { outcome: 'late' };
    case 'condition':
      return { outcome: 'condition', version: number(reply, 1) };
    case 'replay': {
      const value = text(reply, 3);
      return {
        outcome: 'replay',
        fingerprint: text(reply, 1),
        version: number(reply, 2),
        ...(value === '' ? {} : { value: Number(value) }),
        batchId: text(reply, 4),
        queued: text(reply, 5) === '1',
      };
    }
    case 'check':
      return { outcome: 'check', token: text(reply, 1) };
    case 'full':
    case 'draining':
    case 'miss':
    case 'overflow':
      return { outcome: status };
    default:
      throw new TypeError(`Redis script: unknown answer ${status}`);
  }
}

/** What a write of one entry is, as stage.lua takes it. */
interface StagedWrite {
  readonly ref: EntryRef;
  /** The tag of what is put or deleted, or `+`. */
  readonly verb: string;
  readonly value: string | number;
}

async function stage(redis: RedisStore, write: StagedWrite, options: StageOptions): Promise<StageOutcome> {
  const { partition, epoch, once, limits } = options;
  const keys = partitionKeys(partition);
  const entry = keys.entryPrefix + entryId(write.ref);
  const own = [write.verb, write.value, options.ttlMs, conditionArgument(options.condition)];
  const reply = await redis.together({
    script: 'stage',
    group: `${keys.name} ${epoch}`,
    shared: () => ({
      keys: [
        ...[keys.state, keys.open, keys.closed, keys.queue, keys.index],
        ...[keys.carried, keys.records, keys.sent],
      ],
      args: [epoch, options.notAfter(), keys.name, limits.entries, limits.bytes, options.maxQueued],
    }),
    keys: once === undefined ? [entry] : [entry, keys.tokenPrefix + once.key],
    args: once === undefined ? [...own, ''] : [...own, once.key, once.fingerprint, once.token],
  });
  return outcomeOf(redis, partsOf(reply));
}

/**
 * Stages a put (`value` is the text to keep) or a delete (`null`): scripts/stage.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutOfMemory: nothing happened; RedisOutcomeUnknown: it may have.
 */
export async function stageWrite(
  redis: RedisStore,
  write: EntryRef & { readonly kind: EntryKind; readonly value: string | null },
  options: StageOptions,
): Promise<StageOutcome> {
  const verb = mutationTag(write.kind, write.value === null);
  return await stage(redis, { ref: write, verb, value: write.value ?? '' }, options);
}

/**
 * Increments a counter that is in the cache and stages the result: scripts/stage.lua.
 * @throws as {@link stageWrite}.
 */
export async function stageIncrement(
  redis: RedisStore,
  increment: EntryRef & { readonly by: number },
  options: StageOptions,
): Promise<StageOutcome> {
  return await stage(redis, { ref: increment, verb: '+', value: increment.by }, options);
}
