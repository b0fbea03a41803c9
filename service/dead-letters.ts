import type { Kysely } from 'kysely';
import { GATHER_MS } from '../config/cache-repair.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Database } from '../storage/postgres/database-types.ts';
import {
  discardDeadLetter,
  type FoundDeadLetter,
  findDeadLetter,
  listDeadLetters,
  showDeadLetter,
} from '../storage/postgres/dead-letters.ts';
import { retryDeadLetter } from '../storage/postgres/retry-dead-letter.ts';
import type { CacheRepairs } from './cache-repairs.ts';
import type { Context } from './context.ts';
import { beforeDeadline, remainingMs } from './deadline.ts';
import { decisionFailure, lockTimeoutMs } from './decision.ts';
import type { Operations } from './operations.ts';
import { unavailable } from './trouble.ts';

/** What is decided about writes that PostgreSQL refused. */
export function createDeadLetters(
  ctx: Context,
  repairs: CacheRepairs,
): Pick<Operations, 'listDeadLetters' | 'showDeadLetter' | 'retryDeadLetter' | 'discardDeadLetter'> {
  const { PARTITIONS, POSTGRES_TIMEOUT_MS } = ctx.environment;

  return {
    async listDeadLetters(page) {
      try {
        return await listDeadLetters(ctx.db, page);
      } catch (error) {
        throw unavailable(error);
      }
    },

    async showDeadLetter(id) {
      const letter = await showDeadLetter(ctx.db, id).catch((error: unknown) => {
        throw unavailable(error);
      });
      if (letter === undefined) throw noSuchDeadLetter();
      return letter;
    },

    async retryDeadLetter(id, { by }, { deadlineAt }) {
      let letter: EntryVersion;
      let partition: number;
      let deadline: number;
      try {
        letter = await undecidedDeadLetter(ctx.db, id);
        partition = partitionOf(entryId(letter), PARTITIONS);
        const budgetMs = Math.min(GATHER_MS + POSTGRES_TIMEOUT_MS, remainingMs(deadlineAt));
        deadline = Math.floor(Date.now() + budgetMs);
        // It goes around Redis, which may hold older copies.
        await beforeDeadline(repairs.announce(partition, letter, deadline), deadlineAt);
      } catch (error) {
        throw unavailable(error);
      }
      const retried = await retryDeadLetter(ctx.db, {
        id,
        by,
        partition,
        notAfterMicros: deadline * 1_000,
        lockTimeoutMs: lockTimeoutMs(ctx.environment, deadlineAt),
      }).catch((error: unknown) => {
        throw decisionFailure(error);
      });
      const { collection, key, version } = letter;
      switch (retried.outcome) {
        case 'persisted':
          repairs.tellSoon(partition, { collection, key, version });
          ctx.log.info({ deadLetter: id, by, partition, version }, 'a dead letter was retried and persisted');
          return { collection, key, version };
        case 'refused':
          throw new HoldfastError(
            'dead-letter-refused',
            `PostgreSQL refuses the write still: ${retried.message} (SQLSTATE ${retried.sqlstate}). It stays among the dead letters.`,
          );
        case 'not-dead':
          // Decided by somebody else meanwhile: says how.
          await undecidedDeadLetter(ctx.db, id).catch((error: unknown) => {
            throw unavailable(error);
          });
          throw new Error(`dead letter ${id} is there and is not`);
        case 'too-late':
          throw new HoldfastError(
            'dependency-unavailable',
            'PostgreSQL answers too late. The dead letter is as it was. Try again later.',
            { dependency: 'postgres', retryAfterSeconds: 1 },
          );
      }
    },

    async discardDeadLetter(id, { reason, by }) {
      const decided = await discardDeadLetter(ctx.db, id, { reason, by }).catch((error: unknown) => {
        throw decisionFailure(error);
      });
      if (decided) return;
      await undecidedDeadLetter(ctx.db, id).catch((error: unknown) => {
        throw unavailable(error);
      });
    },
  };
}

/** Which write a dead letter is about. @throws HoldfastError where there is none, or it was discarded. */
async function undecidedDeadLetter(db: Kysely<Database>, id: number): Promise<EntryVersion> {
  const letter = await requireDeadLetter(db, id);
  if (letter.state === 'dead') return letter;
  throw deadLetterDiscarded();
}

/** @throws HoldfastError where there is none. */
export async function requireDeadLetter(db: Kysely<Database>, id: number): Promise<FoundDeadLetter> {
  const letter = await findDeadLetter(db, id);
  if (letter === undefined) throw noSuchDeadLetter();
  return letter;
}

export function deadLetterDiscarded(): HoldfastError {
  return new HoldfastError(
    'dead-letter-discarded',
    'This write was discarded, and that is final. To have its value, write it again.',
  );
}

function noSuchDeadLetter(): HoldfastError {
  return new HoldfastError(
    'dead-letter-not-found',
    'There is no dead letter with this id; one that was retried with success is gone.',
  );
}
