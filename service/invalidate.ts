import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Version } from '../domain/version.ts';
import { describeError } from '../storage/postgres/errors.ts';
import { type Touched, touchRows } from '../storage/postgres/touch-rows.ts';
import { raiseNewestFrom } from '../storage/redis/invalidate.ts';
import { inspect } from '../storage/redis/lookup.ts';
import type { VoidTicket } from '../storage/redis/write-through.ts';
import { commitInTime, nothingHappened, refusal } from './commit-work.ts';
import type { Context } from './context.ts';
import { beforeDeadline, remainingMs } from './deadline.ts';
import type { Epochs } from './epochs.ts';
import type { Holdfast, InvalidatedEntry, RequestOptions } from './holdfast.ts';
import type { PlacedRef, Sources } from './sources.ts';
import { outcomeUnknown, redisNeeded, unavailable } from './trouble.ts';
import type { WriteThrough } from './write-through.ts';

/** Each further try needs a row whose version is ahead of Redis' clock. */
const TRIES = 5;

/**
 * Rows were changed by SQL, with their old versions. For each entry the steps of a write-through, which here writes no value:
 * void the copy, block fills and take a version; raise the row to that version; end the block. A reader that read the row
 * before has lost its lease, and nobody fills until the row has its new version: no old value can come back under it.
 *
 * What is pending is looked up after the version was taken. Everything that was issued before lies below that version, and
 * is either seen now or in the row already; everything issued later lies above it, and stays newer. Where what is seen is
 * newer than the row, the row keeps its version: raised above, it would win over an acknowledged write.
 */
export function createInvalidate(
  ctx: Context,
  deps: { readonly epochs: Epochs; readonly through: WriteThrough; readonly sources: Sources },
): Holdfast['invalidate'] {
  const { epochs, through, sources } = deps;
  const { PARTITIONS, POSTGRES_TIMEOUT_MS } = ctx.environment;

  async function voidAll(
    collection: Collection,
    refs: readonly PlacedRef[],
    deadlineAt: number,
  ): Promise<Voided[]> {
    const taken = await Promise.allSettled(
      refs.map(async (one): Promise<Voided> => {
        const ticket = await through.take(one.partition, collection, one.ref, deadlineAt);
        if (ticket === 'go-around') throw redisNeeded();
        epochs.noteVersion(one.partition, ticket.version);
        return { one, ticket };
      }),
    );
    const voided = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = taken.find((result) => result.status === 'rejected');
    if (failed === undefined) return voided;
    await unblockAll(collection, voided);
    throw failed.reason;
  }

  /** Ends a block. `above`: the version of a row that the clock must pass. */
  async function unblock(collection: Collection, { one, ticket }: Voided, above: Version = 0): Promise<void> {
    const { token, version } = ticket;
    const ended = { token, version: Math.max(version, above) };
    await through.settle(collection, one.ref.key, one.partition, ended, null, false);
  }

  async function unblockAll(collection: Collection, voided: readonly Voided[]): Promise<void> {
    await Promise.all(voided.map((one) => unblock(collection, one)));
  }

  /**
   * The pending writes that are newer than their rows. Where one is not, and the index names it still, it must not be answered
   * for the newest where PostgreSQL cannot be asked. It stays in the index: a later write of the open batch is found by it.
   */
  async function pendingVersions(
    collection: Collection,
    voided: readonly Voided[],
    deadlineAt: number,
  ): Promise<Map<Voided, Version>> {
    const pending = new Map<Voided, Version>();
    if (collection.mode === 'write-through') return pending;
    await Promise.all(
      voided.map(async (one) => {
        const { ref, partition } = one.one;
        await epochs.use(partition, deadlineAt, async (epoch) => {
          const { pending: seen } = await inspect(ctx.redis, ref, { partition, epoch });
          // Whether what is pending is newer than the row shows only where the row was read.
          const place = { partition, deadlineAt, needsRow: true };
          const looked = sources.indexed(ref, collection, place, seen);
          const found = await beforeDeadline(looked, deadlineAt);
          if (found.source === 'pending') pending.set(one, found.state.version);
          else if (seen !== undefined) {
            await raiseNewestFrom(ctx.redis, { partition, epoch }, one.ticket.version);
          }
        });
      }),
    );
    return pending;
  }

  async function touch(
    collection: Collection,
    voided: readonly Voided[],
    deadlineAt: number,
  ): Promise<readonly Touched[]> {
    if (voided.length === 0) return [];
    const budgetMs = Math.min(POSTGRES_TIMEOUT_MS, remainingMs(deadlineAt));
    const takenAt = Math.min(...voided.map(({ ticket }) => ticket.takenAt));
    const touching = touchRows(ctx.db, {
      kind: collection.kind,
      collection: collection.name,
      touches: voided.map(({ one, ticket }) => ({
        key: one.ref.key,
        version: ticket.version,
        partition: one.partition,
      })),
      notAfterMicros: Math.floor(takenAt + budgetMs * 1_000),
    });
    const committing = touching.then((outcomes) => ({ outcomes }));
    const { outcomes } = await commitInTime(ctx, committing, deadlineAt, () =>
      unblockAll(collection, voided),
    );
    if (outcomes === undefined) throw refusal({ outcome: 'too-late' });
    return outcomes;
  }

  /** One round over some of the entries; answers those whose rows were ahead of their versions. */
  async function round(
    collection: Collection,
    refs: readonly PlacedRef[],
    { deadlineAt }: RequestOptions,
    results: Map<PlacedRef, InvalidatedEntry>,
  ): Promise<PlacedRef[]> {
    const voided = await voidAll(collection, refs, deadlineAt);
    let pending: Map<Voided, Version>;
    try {
      pending = await pendingVersions(collection, voided, deadlineAt);
    } catch (error) {
      await unblockAll(collection, voided);
      throw unavailable(error);
    }
    const settled = voided.filter((one) => !pending.has(one));
    let touched: readonly Touched[];
    try {
      touched = await touch(collection, settled, deadlineAt);
    } catch (error) {
      if (nothingHappened(error)) {
        await unblockAll(collection, voided);
        throw unavailable(error);
      }
      // Of those that are sent, fills stay blocked until the statement can no longer commit.
      await unblockAll(collection, [...pending.keys()]);
      throw outcomeUnknown(
        `PostgreSQL did not confirm the new versions (${describeError(error)}); repeating the request is harmless.`,
        error,
      );
    }
    const outcomes = new Map(settled.map((one, i) => [one, touched[i]]));
    const again: PlacedRef[] = [];
    await Promise.all(
      voided.map(async (one) => {
        const outcome = outcomes.get(one);
        await unblock(collection, one, outcome?.outcome === 'superseded' ? outcome.version : 0);
        if (outcome?.outcome === 'superseded') again.push(one.one);
        else results.set(one.one, resultOf(one, outcome, pending.get(one)));
      }),
    );
    return again;
  }

  return async (collection, keys, options) => {
    const refs = [...new Set(keys)].map((key): PlacedRef => {
      const ref = { collection: collection.name, key };
      return { ref, partition: partitionOf(entryId(ref), PARTITIONS) };
    });
    const results = new Map<PlacedRef, InvalidatedEntry>();
    let left: readonly PlacedRef[] = refs;
    for (let tries = 1; left.length > 0; tries++) {
      if (tries > TRIES) throw refusal({ outcome: 'superseded', version: 0 });
      left = await round(collection, left, options, results);
    }
    return refs.flatMap((one) => results.get(one) ?? []);
  };
}

interface Voided {
  readonly one: PlacedRef;
  readonly ticket: VoidTicket;
}

function resultOf(
  { one, ticket }: Voided,
  touched: Touched | undefined,
  pending: Version | undefined,
): InvalidatedEntry {
  const { key } = one.ref;
  if (pending !== undefined) return { key, outcome: 'pending', version: pending };
  if (touched?.outcome === 'touched') return { key, outcome: 'invalidated', version: ticket.version };
  return { key, outcome: 'absent', version: null };
}
