import type { Collection } from '../domain/collection.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Version } from '../domain/version.ts';
import { commitIncrement, type NotCommitted } from '../storage/postgres/commit-entry.ts';
import { didNotHappen } from '../storage/postgres/errors.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import type { WriteOptions } from './holdfast.ts';
import { counterOverflow, preconditionFailed } from './trouble.ts';

export type Committed =
  | { readonly outcome: 'committed'; readonly created: boolean; readonly value?: number }
  | { readonly outcome: 'overflow' }
  | NotCommitted;

/** One write as PostgreSQL takes it, under a version that is found when it is made. */
export interface CommitWork {
  /**
   * @param notAfterMicros by PostgreSQL's clock: past it the statement does not commit
   * @throws errors as `pg` gave them; HoldfastError `invalid-request` where the value is refused
   */
  commit(version: Version, notAfterMicros: number): Promise<Committed>;
  /** The text for the cache after a commit that answered `value`. */
  cached(value: number | undefined): string | null;
}

/** What of a write's options its statement needs. */
type CommitOptions = Pick<WriteOptions, 'condition' | 'idempotency'>;

function common(ctx: Context, collection: Collection, key: string, options: CommitOptions) {
  const { condition, idempotency } = options;
  return {
    partition: partitionOf(entryId({ collection: collection.name, key }), ctx.environment.PARTITIONS),
    ...(condition === undefined ? {} : { condition }),
    idempotency,
  };
}

/**
 * A commit, waited for no longer than the request may take; where it is given up, it may still happen: `onLate` is called
 * if it then answers, or certainly did not happen.
 * @throws as the commit; a plain Error where the deadline came first.
 */
export async function commitInTime<T extends object>(
  { log }: Context,
  committing: Promise<T>,
  deadlineAt: number,
  onLate: (result: T | { readonly outcome: 'too-late' }) => Promise<void>,
): Promise<T> {
  const late = new Error('no answer in the time of the request');
  try {
    return await beforeDeadline(committing, deadlineAt, late);
  } catch (error) {
    if (error === late) {
      void committing
        .catch((later: unknown) => (nothingHappened(later) ? ({ outcome: 'too-late' } as const) : undefined))
        .then((ended) => (ended === undefined ? undefined : onLate(ended)))
        .catch((failed: unknown) =>
          log.error({ err: failed }, 'Redis could not be told how a late commit ended'),
        );
    }
    throw error;
  }
}

/** Whether a commit that ended with this error had no effect: refused by us, or as {@link didNotHappen} says. */
export function nothingHappened(error: unknown): boolean {
  return error instanceof HoldfastError || didNotHappen(error);
}

/** A put, or (`value` null) a delete. */
export function putWork(
  ctx: Context,
  collection: Collection,
  key: string,
  value: string | null,
  options: CommitOptions,
): CommitWork {
  const { name, kind } = collection;
  return {
    commit: (version, notAfterMicros) =>
      ctx.commitEntry({
        ...common(ctx, collection, key, options),
        mutation: { collection: name, key, kind, version, value },
        notAfterMicros,
      }),
    cached: () => value,
  };
}

export function incrementWork(
  ctx: Context,
  collection: Collection,
  key: string,
  by: number,
  options: CommitOptions,
): CommitWork {
  return {
    commit: (version, notAfterMicros) =>
      commitIncrement(ctx.db, {
        ...common(ctx, collection, key, options),
        ref: { collection: collection.name, key },
        version,
        by,
        notAfterMicros,
      }),
    cached: (value) => String(value),
  };
}

/** Why a write that was not committed was not, for its caller. It did not happen. */
export function refusal(result: Exclude<Committed, { outcome: 'committed' | 'repeated' }>): HoldfastError {
  switch (result.outcome) {
    case 'precondition-failed':
      return preconditionFailed(result.version);
    case 'overflow':
      return counterOverflow();
    case 'too-late':
      return new HoldfastError(
        'dependency-unavailable',
        'PostgreSQL answers too late. This write did not happen. Try again later.',
        { dependency: 'postgres', retryAfterSeconds: 1 },
      );
    case 'superseded':
      return new HoldfastError(
        'dependency-unavailable',
        'Other writes of the same entry were faster each time. This write did not happen. Try again.',
        { dependency: 'postgres', retryAfterSeconds: 1 },
      );
  }
}
