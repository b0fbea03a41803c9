import { type Kysely, sql, type Transaction } from 'kysely';
import { crashPoint } from '../../config/crash-points.ts';
import type { Batch } from '../../domain/batch.ts';
import { mergeMutations } from '../../domain/merge.ts';
import { type Mutation, versionName } from '../../domain/mutation.ts';
import type { Database } from './database-types.ts';
import { decisionsOn } from './decisions.ts';
import { isDataError } from './errors.ts';
import { recordWrites } from './idempotency-records.ts';
import { sharedWithDecisions } from './partition-lock.ts';
import { AdoptedMeanwhile, passFence, recordRefusal } from './pass-fence.ts';
import { withoutPruned } from './prune-floor.ts';
import { recordDeadLetters, refusedForGood, upsertAllOrRefuse } from './set-aside.ts';
import type { PersistOutcome } from './types.ts';
import { byPrimaryKey } from './upsert-mutations.ts';

/** How often a batch may find itself adopted between being refused and recording that. Once is rare already. */
const MAX_TRIES = 5;

/**
 * Carries a whole batch into PostgreSQL in one transaction. Safe to repeat, to reorder and to run in parallel with any
 * other batch. What PostgreSQL refuses for what it holds is set aside in `dead_letters`; what is listed there already is
 * skipped; the rest commits. A batch of an epoch that ended without adopting it is refused, for good.
 *
 * Constraints and triggers that somebody deferred speak at the commit, about no statement: then the transaction is run once
 * more with each looking at each statement. A write that needs another one of its batch is then tried again after it. Two that
 * need each other may both be set aside, if something else in the batch is refused.
 *
 * @param options.signal ends the call at once with the signal's reason; the transaction then stops before its next
 * statement, or still commits, which a repetition finds out
 * @throws PostgresWentBack where PostgreSQL was restored to a time before the batch's epoch: it may be repeated until a recovery
 * adopted the batch. Every error that is not about a single mutation, as `pg` gave it; after one of a lost connection the outcome
 * is unknown. Serialization failures and deadlocks (40001, 40P01) are the caller's to retry.
 */
export async function persistBatch(
  db: Kysely<Database>,
  batch: Batch,
  options: { readonly signal?: AbortSignal } = {},
): Promise<PersistOutcome> {
  const { signal } = options;
  signal?.throwIfAborted();
  return await endedBy(signal, persist(db, batch, signal));
}

async function persist(db: Kysely<Database>, batch: Batch, signal?: AbortSignal): Promise<PersistOutcome> {
  const mutations = byPrimaryKey(mergeMutations(batch.mutations));
  let immediate = false;
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    let committing = false;
    try {
      return await db
        .transaction()
        .setIsolationLevel('read committed')
        .execute(async (trx) => {
          signal?.throwIfAborted();
          if (immediate) await sql`SET CONSTRAINTS ALL IMMEDIATE`.execute(trx);
          const outcome = await persistIn(trx, batch, mutations, { immediate, signal });
          committing = true;
          return outcome;
        });
    } catch (error) {
      // The server said no to the commit, so nothing of it is there.
      const deferred: boolean = committing && !immediate && isDataError(error);
      if (!deferred && !(error instanceof AdoptedMeanwhile)) throw error;
      immediate ||= deferred;
    }
  }
  throw new Error('the fence of the partition keeps changing');
}

async function persistIn(
  trx: Transaction<Database>,
  batch: Batch,
  mutations: readonly Mutation[],
  { immediate, signal }: { readonly immediate: boolean; readonly signal: AbortSignal | undefined },
): Promise<PersistOutcome> {
  signal?.throwIfAborted();
  if (await refusedBefore(trx, batch)) return { outcome: 'refused' };
  // Only now, with the lock held: what a discard commits while that is waited for must be seen.
  const { listed, floor } = await decisionsOn(trx, mutations);
  await sql`SAVEPOINT writes`.execute(trx);

  // Locks are taken in one order by everyone: documents, counters, dead letters, idempotency records, each by key, the
  // partition's row last.
  const skipped = new Set(listed.map(versionName));
  const undecided = skipped.size === 0 ? mutations : mutations.filter((m) => !skipped.has(versionName(m)));
  const wanted = await withoutPruned(trx, undecided, floor);
  const first = await upsertAllOrRefuse(trx, wanted, signal);
  const refused = immediate ? await refusedForGood(trx, first, signal) : first;
  await recordDeadLetters(trx, batch, refused);
  const aside = new Set(refused.map(({ mutation }) => mutation));
  await recordWrites(
    trx,
    undecided.filter((m) => !aside.has(m)),
    [...aside],
  );
  crashPoint('in-persist');

  signal?.throwIfAborted();
  if (!(await passFence(trx, batch))) {
    await sql`ROLLBACK TO SAVEPOINT writes`.execute(trx);
    await recordRefusal(trx, batch);
    return { outcome: 'refused' };
  }
  const fresh = refused.map(({ mutation: { collection, key, version }, sqlstate, message }) => {
    return { collection, key, version, sqlstate, message, fresh: true as const };
  });
  return { outcome: 'persisted', setAside: [...listed, ...fresh] };
}

/** Whether the batch was refused before. Takes the lock that keeps decisions about single writes out until the commit. */
async function refusedBefore(trx: Transaction<Database>, batch: Batch): Promise<boolean> {
  const { rows } = await sql<{ refused: boolean }>`/* begin-batch */
    SELECT EXISTS (SELECT FROM refused_batches WHERE batch_id = ${batch.id}) AS refused,
           ${sharedWithDecisions(batch.partition)}`.execute(trx);
  return rows[0]?.refused === true;
}

/** `work`, or a rejection with the signal's reason as soon as it is aborted; what `work` does later is not waited for. */
async function endedBy<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return await work;
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
