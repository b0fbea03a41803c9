import type { BatchId } from '../domain/batch.ts';
import { mergePending, type Settled } from '../domain/merge.ts';
import type { EntryState, Mutation } from '../domain/mutation.ts';
import { isUnreachable } from '../storage/postgres/errors.ts';
import type { Pending } from '../storage/redis/lookup.ts';
import type { Suspicion } from './suspicion.ts';

/** The batch that a value still waits for to be in Temporal, or that it waits somewhere that is not known. */
export type Unsettled = BatchId | 'somewhere';

/** What a read that misses the cache found. */
export interface Found {
  readonly state: EntryState;
  readonly source: 'pending' | 'row';
  /** Whether it may be put into the cache. */
  readonly cacheable: boolean;
  /** Given where the value is not known to be at least queued. */
  readonly unsettled?: Unsettled;
}

export function merged(
  record: Settled,
  pending: readonly Mutation[],
): { readonly found: Found; readonly hidden: boolean } {
  const { state, from, hidden } = mergePending(record, pending);
  return { found: { state, source: from, cacheable: true }, hidden };
}

export function unsettledBy(pending: Pending | undefined): { readonly unsettled?: Unsettled } {
  return pending?.where === 'redis' ? { unsettled: pending.batchId } : {};
}

/**
 * What was staged in this epoch is the newest of its entry while the index names it, so it can be answered alone where PostgreSQL
 * cannot be reached; it is not put into the cache. What a recovery found, or what waits while somebody wrote around Redis, may be
 * older than the row: a write that came later and is persisted left the index. Of a write around Redis the index knows only
 * when Redis was told: until then only what was staged since is known to be the newest.
 * @throws `error` where there is none, it may be older, or the error is another.
 */
export function withoutRow(
  pending: Pending | undefined,
  mutation: Mutation | undefined,
  error: unknown,
  suspicion: Suspicion,
): Found {
  if (mutation === undefined || pending === undefined || pending.where === 'nowhere') throw error;
  const newest =
    mutation.version > (pending.newestFrom ?? Number.POSITIVE_INFINITY) &&
    (!suspicion.active() || suspicion.writtenSince(mutation.version));
  if (!newest || !isUnreachable(error)) throw error;
  return { state: mutation, source: 'pending', cacheable: false, ...unsettledBy(pending) };
}
