import type { Kysely } from 'kysely';
import { entryId } from '../../domain/entry.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { createGather } from '../gather.ts';
import { commitEntry, type EntryCommit, type NotCommitted } from './commit-entry.ts';
import { commitTogether } from './commit-together.ts';
import type { Database } from './database-types.ts';
import { isUnreachable, NothingWritten, waitedTooLong } from './errors.ts';

type Answer = { readonly outcome: 'committed'; readonly created: boolean } | NotCommitted;

/** Entries of one transaction. */
const MAX_ENTRIES = 128;
/** Commits under way. While so many are, writes gather: the more there is to do, the more is synced to disk at once. */
const MAX_COMMITS = 2;
/** A row that another transaction holds must not keep the others waiting: its write then waits for itself. */
const LOCK_WAIT_MS = 20;

/** As {@link commitEntry}. */
export type CommitEntry = (commit: EntryCommit) => Promise<Answer>;

/**
 * Commits of single entries that come at about the same time share a transaction (group commit). What one of them cannot
 * have (a value that is refused, for whatever reason, a row that is newer, locked or just appears, a deadline) undoes it before
 * anything is written, and then each is committed by itself. Where PostgreSQL cannot be reached by then, none of them happened:
 * they end with NothingWritten, as does one that waited `patienceMs` for its turn. A commit in doubt is in doubt for all of them. Writes with a condition or an Idempotency-Key are
 * always by themselves.
 */
export function createSharedCommits(db: Kysely<Database>, patienceMs: number): CommitEntry {
  const alone = (commit: EntryCommit): Promise<Answer> => commitEntry(db, commit);

  async function together(commits: readonly EntryCommit[]): Promise<Answer[] | undefined> {
    try {
      const result = await commitTogether(db, {
        writes: commits.map(({ mutation, partition }) => ({ ...mutation, partition })),
        notAfterMicros: Math.min(...commits.map(({ notAfterMicros }) => notAfterMicros)),
        waitUntil: performance.now() + LOCK_WAIT_MS,
      });
      if (result.outcome === 'committed') {
        return result.written.map(({ created }) => ({ outcome: 'committed', created }));
      }
      if (result.outcome === 'failed' && isUnreachable(result.error)) throw new NothingWritten(result.error);
      return undefined;
    } catch (error) {
      // Of one of the values: nothing was written.
      if (error instanceof HoldfastError) return undefined;
      throw error;
    }
  }

  /** `undefined`: the entry is to be committed by itself. */
  const share = createGather<EntryCommit, Answer | undefined>(
    () => 'all',
    async (commits) => {
      const first = new Map<string, EntryCommit>();
      for (const commit of commits) {
        const id = entryId(commit.mutation);
        if (!first.has(id)) first.set(id, commit);
      }
      // The second write of an entry has to wait for the first one anyway.
      const shared = [...first.values()];
      const answers = shared.length > 1 ? await together(shared) : undefined;
      const answerOf = new Map(shared.map((commit, i) => [commit, answers?.[i]]));
      return commits.map((commit) => answerOf.get(commit));
    },
    {
      items: MAX_ENTRIES,
      inFlight: MAX_COMMITS,
      patience: { ms: patienceMs, error: waitedTooLong },
    },
  );

  return async (commit) => {
    if (commit.condition !== undefined || commit.idempotency !== undefined) return await alone(commit);
    return (await share(commit)) ?? (await alone(commit));
  };
}
