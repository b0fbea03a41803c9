import { type EntryKind, type EntryRef, entryId } from '../../domain/entry.ts';
import type { Epoch } from '../../domain/epoch.ts';
import { mutationTag } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { RedisOutOfMemory } from './errors.ts';
import { partitionKeys } from './keys.ts';
import { number, partsOf, statusOf } from './reply.ts';
import { answerOf } from './together.ts';

/** The right to set the cached value after the commit, and the version to commit under. */
export interface VoidTicket {
  readonly token: string;
  readonly version: Version;
  /** Redis time in µs at which others may fill the cache again. */
  readonly blockEnds: number;
  /** Redis time in µs when the version was taken. */
  readonly takenAt: number;
}

/**
 * Drops the cached copy, blocks fills, takes a version: scripts/void.lua. `undefined` where Redis' time was past `notAfter`.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown: repeating it is harmless, it commits nothing.
 */
export async function voidEntry(
  redis: RedisStore,
  ref: EntryRef,
  options: {
    readonly partition: number;
    readonly epoch: Epoch;
    /** Redis time in µs past which the script must not run any more; asked for when it is sent. */
    readonly notAfter: () => number;
    readonly token: string;
    readonly blockMs: number;
  },
): Promise<VoidTicket | undefined> {
  const { partition, epoch, notAfter, blockMs } = options;
  const keys = partitionKeys(partition);
  const answered = await redis.together({
    script: 'void',
    group: `${keys.name} ${epoch}`,
    shared: () => ({ keys: [keys.state, keys.blocks], args: [epoch, notAfter(), blockMs * 1_000] }),
    keys: [keys.entryPrefix + entryId(ref)],
    args: [options.token],
  });
  const reply = partsOf(answerOf(answered));
  if (statusOf(reply) === 'late') {
    redis.learnTime(number(reply, 1));
    return undefined;
  }
  redis.learnTime(number(reply, 3));
  return {
    token: options.token,
    version: number(reply, 1),
    blockEnds: number(reply, 2),
    takenAt: number(reply, 3),
  };
}

/**
 * Sets the committed value if the block is still this write's own; else only drops an older copy: scripts/settle.lua, or
 * scripts/unblock.lua where there is nothing to set, or no room for it.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown: the entry then stays a miss until its block ends.
 */
export async function settleEntry(
  redis: RedisStore,
  ref: EntryRef,
  ticket: Pick<VoidTicket, 'token' | 'version'>,
  options: {
    readonly partition: number;
    readonly epoch: Epoch;
    readonly kind: EntryKind;
    readonly value: string | null;
    readonly ttlMs: number;
    /** Whether the commit changed the row. */
    readonly committed: boolean;
  },
): Promise<'set' | 'dropped'> {
  const { name, state, blocks, entryPrefix } = partitionKeys(options.partition);
  const id = entryId(ref);
  const { epoch } = options;
  if (options.committed) {
    const { kind, value, ttlMs } = options;
    try {
      const reply = await redis.together({
        script: 'settle',
        group: `${name} ${epoch}`,
        shared: () => ({ keys: [state, blocks], args: [epoch] }),
        keys: [entryPrefix + id],
        args: [ticket.token, ticket.version, mutationTag(kind, value === null), value ?? '', ttlMs],
      });
      return statusOf(answerOf(reply)) === 'set' ? 'set' : 'dropped';
    } catch (error) {
      if (!(error instanceof RedisOutOfMemory)) throw error;
    }
  }
  const unblocked = [epoch, id, ticket.token, ticket.version];
  statusOf(await redis.run('unblock', [state, blocks, entryPrefix + id], unblocked));
  return 'dropped';
}
