import type { BatchId } from '../../domain/batch.ts';
import { type EntryKind, type EntryRef, entryId } from '../../domain/entry.ts';
import type { Epoch } from '../../domain/epoch.ts';
import { decodeMutation, type EntryState, type Mutation, mutationTag } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import type { RedisStore } from './client.ts';
import { partitionKeys } from './keys.ts';
import { partsOf, type ScriptReply, statusOf, text } from './reply.ts';
import { answerOf } from './together.ts';

/** Where the newest mutation that is not known to be persisted is. */
export type Pending =
  | {
      readonly where: 'redis';
      readonly batchId: BatchId;
      readonly mutation: Mutation;
      readonly newestFrom?: Version;
    }
  | {
      readonly where: 'temporal';
      readonly batchId: BatchId;
      readonly slot: number;
      readonly runId: string;
      /** Above this version it is newer than any row; else, and where it is left out, only the row tells. */
      readonly newestFrom?: Version;
    }
  /** The index names a batch that neither Redis nor a slot has: its release is under way. */
  | { readonly where: 'nowhere'; readonly batchId: BatchId };

export type Lookup =
  /** `staged`, where it was asked for: the batch that holds the write and is not in Temporal yet. */
  | { readonly outcome: 'hit'; readonly state: EntryState; readonly staged?: BatchId }
  | {
      readonly outcome: 'miss';
      /** The right to fill the cache; `undefined` where another reader has it, or a write-through blocks it. */
      readonly lease: string | undefined;
      /** Another reader has the lease: its copy may be there soon. */
      readonly held: boolean;
      readonly pending: Pending | undefined;
    };

/** What lookup.lua answers in place of a token; no token is like it (service/tokens). */
const HELD = 'held';

/** The four fields by which lookup.lua and inspect.lua say where the pending mutation is, and the fifth of lookup.lua. */
function readPendingReply(id: string, reply: ScriptReply, at: number, newestFrom = ''): Pending | undefined {
  const batchId = text(reply, at);
  const slot = text(reply, at + 1);
  const runId = text(reply, at + 2);
  const mutation = text(reply, at + 3);
  if (batchId === '') return undefined;
  const newest = newestFrom === '' ? {} : { newestFrom: Number(newestFrom) };
  if (mutation !== '') return { where: 'redis', batchId, mutation: decodeMutation(id, mutation), ...newest };
  return slot === ''
    ? { where: 'nowhere', batchId }
    : { where: 'temporal', batchId, slot: Number(slot), runId, ...newest };
}

export interface LookupOptions {
  readonly partition: number;
  readonly epoch: Epoch;
  /** Offered as the lease's token: never used before. */
  readonly token: string;
  readonly leaseMs: number;
  readonly writeThrough: boolean;
  /** Whether a hit should tell that its write is not in Temporal yet. */
  readonly durable: boolean;
}

/** The state in a cached copy: `V <epoch> <version> <tag> <value>`. */
function readCopy(copy: string): EntryState {
  const versionAt = copy.indexOf(' ', 2) + 1;
  const tagAt = copy.indexOf(' ', versionAt) + 1;
  const tag = copy[tagAt];
  const version = Number(copy.slice(versionAt, tagAt - 1));
  return { version, value: tag === 'D' || tag === 'C' ? null : copy.slice(tagAt + 2) };
}

/**
 * One round trip of a read: scripts/lookup.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function lookup(redis: RedisStore, ref: EntryRef, options: LookupOptions): Promise<Lookup> {
  const { partition, epoch, token, leaseMs } = options;
  const keys = partitionKeys(partition);
  const id = entryId(ref);
  const answered = await redis.together({
    script: 'lookup',
    group: `${keys.name} ${epoch}`,
    shared: () => ({
      keys: [keys.state, keys.open, keys.closed, keys.sent, keys.index, keys.blocks],
      args: [epoch, leaseMs],
    }),
    keys: [keys.entryPrefix + id],
    args: [token, `${options.writeThrough ? 'w' : ''}${options.durable ? 'd' : ''}`],
  });
  const answer = answerOf(answered);
  if (typeof answer === 'string') return { outcome: 'hit', state: readCopy(answer) };
  const reply = partsOf(answer);
  if (statusOf(reply) === 'hit') {
    return { outcome: 'hit', state: readCopy(text(reply, 1)), staged: text(reply, 2) };
  }
  const lease = text(reply, 1);
  return {
    outcome: 'miss',
    lease: lease === '' || lease === HELD ? undefined : lease,
    held: lease === HELD,
    pending: readPendingReply(id, reply, 2, text(reply, 6)),
  };
}

export interface FillOptions {
  readonly partition: number;
  readonly epoch: Epoch;
  readonly lease: string;
  readonly kind: EntryKind;
  readonly ttlMs: number;
}

/**
 * Puts a repaired read into the cache unless a write voided the lease: scripts/fill.lua. Answers whether it did.
 * @throws EpochChanged, RedisUnavailable, RedisOutOfMemory, RedisOutcomeUnknown.
 */
export async function fill(
  redis: RedisStore,
  ref: EntryRef,
  state: EntryState,
  options: FillOptions,
): Promise<boolean> {
  const { partition, epoch } = options;
  const keys = partitionKeys(partition);
  const reply = await redis.together({
    script: 'fill',
    group: `${keys.name} ${epoch}`,
    shared: () => ({ keys: [keys.state, keys.blocks], args: [epoch] }),
    keys: [keys.entryPrefix + entryId(ref)],
    args: [
      options.lease,
      state.version,
      mutationTag(options.kind, state.value === null),
      state.value ?? '',
      options.ttlMs,
    ],
  });
  return statusOf(answerOf(reply)) === 'filled';
}

/**
 * What Redis knows of an entry, changing nothing: scripts/inspect.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function inspect(
  redis: RedisStore,
  ref: EntryRef,
  options: { readonly partition: number; readonly epoch: Epoch },
): Promise<{ readonly cached: EntryState | undefined; readonly pending: Pending | undefined }> {
  const keys = partitionKeys(options.partition);
  const id = entryId(ref);
  const reply = await redis.run(
    'inspect',
    [keys.state, keys.open, keys.closed, keys.sent, keys.index, keys.entryPrefix + id],
    [options.epoch, id],
  );
  statusOf(reply);
  const copy = text(reply, 1);
  return { cached: copy === '' ? undefined : readCopy(copy), pending: readPendingReply(id, reply, 2) };
}

/**
 * Every mutation of one entry that waits in Redis, not only the one that the index names: scripts/staged.lua.
 * @throws EpochChanged, RedisUnavailable, RedisOutcomeUnknown.
 */
export async function stagedMutations(
  redis: RedisStore,
  ref: EntryRef,
  options: { readonly partition: number; readonly epoch: Epoch },
): Promise<Mutation[]> {
  const keys = partitionKeys(options.partition);
  const id = entryId(ref);
  const reply = await redis.run('staged', [keys.state, keys.open, keys.closed], [options.epoch, id]);
  statusOf(reply);
  return reply.slice(1).map((_, i) => decodeMutation(id, text(reply, i + 1)));
}
