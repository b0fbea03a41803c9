import type { BatchLimits } from '../../domain/batch.ts';
import type { WriteCondition } from '../../domain/condition.ts';
import { type EntryKind, type EntryRef, entryId } from '../../domain/entry.ts';
import type { Epoch } from '../../domain/epoch.ts';
import type { IdempotencyKey } from '../../domain/idempotency.ts';
import { mutationTag } from '../../domain/mutation.ts';
import type { RedisStore } from './client.ts';
import { type PartitionKeys, partitionKeys } from './keys.ts';
import { number, partsOf, text } from './reply.ts';
import { type StageOutcome, stageOutcome } from './stage-outcome.ts';
import { MAX_BYTES, MAX_CALLS } from './together.ts';

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
  /** The token that `check` answered, after which PostgreSQL was asked; '' at first. */
  readonly asked: string;
  /** A token that was never used. */
  readonly fresh: string;
}

/** A put (`value` is the text to keep), a delete (`null`), or an increment. */
export type StagedWrite = EntryRef &
  ({ readonly kind: EntryKind; readonly value: string | null } | { readonly by: number });

/** What belongs to one write alone. */
type Own = Pick<StageOptions, 'ttlMs' | 'condition' | 'once'>;

function verbOf(write: StagedWrite, { condition, once }: Own): string {
  const tag = 'by' in write ? '+' : mutationTag(write.kind, write.value === null);
  if (condition === undefined && once === undefined) return tag;
  return `${tag}${condition === undefined ? '' : '?'}${once === undefined ? '' : '!'}`;
}

function conditionArgument(condition: WriteCondition): string {
  return 'ifAbsent' in condition ? '-' : `=${condition.ifVersion}`;
}

/** Adds what stage.lua takes for one write. */
function addArguments(
  write: StagedWrite,
  own: Own,
  keys: PartitionKeys,
  to: { readonly keys: string[]; readonly args: (string | number)[] },
): void {
  const { condition, once, ttlMs } = own;
  to.keys.push(keys.entryPrefix + entryId(write));
  to.args.push(verbOf(write, own), 'by' in write ? write.by : (write.value ?? ''), ttlMs);
  if (condition !== undefined) to.args.push(conditionArgument(condition));
  if (once === undefined) return;
  to.keys.push(keys.tokenPrefix + once.key);
  to.args.push(once.key, once.fingerprint, once.asked, once.fresh);
}

/** What all writes of a script share. */
type Shared = Omit<StageOptions, keyof Own>;

async function stageTogether(
  redis: RedisStore,
  options: Shared,
  count: number,
  own: { readonly keys: readonly string[]; readonly args: readonly (string | number)[] },
): Promise<StageOutcome[]> {
  const { partition, epoch, limits } = options;
  const keys = partitionKeys(partition);
  const { answers, toAll } = await redis.together({
    script: 'stage',
    group: `${keys.name} ${epoch}`,
    shared: () => ({
      keys: [
        ...[keys.state, keys.open, keys.closed, keys.queue, keys.index],
        ...[keys.carried, keys.records, keys.sent],
      ],
      args: [epoch, options.notAfter(), keys.name, limits.entries, limits.bytes, options.maxQueued],
    }),
    ...own,
    count,
  });
  if (toAll === undefined) {
    const [answer] = answers;
    if (Array.isArray(answer) && answer[0] === 'late') redis.learnTime(number(answer, 1));
    return answers.map((one) => stageOutcome(one, ''));
  }
  const about = partsOf(toAll);
  redis.learnTime(number(about, 0));
  const openBatch = text(about, 1);
  return answers.map((one) => stageOutcome(one, openBatch));
}

/**
 * Stages a write: scripts/stage.lua. An increment needs the counter in the cache.
 * @throws EpochChanged, RedisUnavailable, RedisOutOfMemory: nothing happened; RedisOutcomeUnknown: it may have.
 */
export async function stageWrite(
  redis: RedisStore,
  write: StagedWrite,
  options: StageOptions,
): Promise<StageOutcome> {
  const own = { keys: [], args: [] };
  addArguments(write, options, partitionKeys(options.partition), own);
  const [outcome] = await stageTogether(redis, options, 1, own);
  if (outcome === undefined) throw new TypeError('Redis script: no answer');
  return outcome;
}

/** What {@link stageWrites} takes: so many writes, and so many bytes as `mutationBytes` counts them; a single one may have more. */
export const MAX_STAGED_TOGETHER: BatchLimits = { entries: MAX_CALLS, bytes: MAX_BYTES };

/**
 * Stages writes of one partition, without conditions and Idempotency-Keys, in their order: one outcome for each.
 * @throws as {@link stageWrite}: about all of them.
 */
export async function stageWrites(
  redis: RedisStore,
  writes: readonly (StagedWrite & { readonly ttlMs: number })[],
  options: Shared,
): Promise<StageOutcome[]> {
  const own = { keys: [], args: [] };
  const keys = partitionKeys(options.partition);
  for (const write of writes) addArguments(write, write, keys, own);
  return await stageTogether(redis, options, writes.length, own);
}
