import { createHash } from 'node:crypto';
import type { Collections } from '../../config/collections.ts';
import type { WriteCondition } from '../../domain/condition.ts';
import { HoldfastError } from '../../domain/errors.ts';
import type { EntryState } from '../../domain/mutation.ts';
import type { Version } from '../../domain/version.ts';
import { resolveDeadLetter } from '../../storage/postgres/dead-letters.ts';
import type { Context } from '../context.ts';
import { deadLetterDiscarded, requireDeadLetter } from '../dead-letters.ts';
import { beforeDeadline } from '../deadline.ts';
import type { Holdfast } from '../holdfast.ts';
import type { Operations } from '../operations.ts';
import { unavailable } from '../trouble.ts';

/** Kept back from the write, to give up the dead letter for it. */
const RESOLVE_MS = 1_000;

/**
 * The dead letter stays until the new write is safe, and the new write carries an Idempotency-Key made of both: whatever
 * breaks in between, the value is in one place at least, and a repetition finds the write instead of making another: also after
 * the dead letter was given up for it.
 */
export function createCorrection(
  ctx: Context,
  { collections, read, put }: { readonly collections: Collections } & Pick<Holdfast, 'read' | 'put'>,
): Operations['correctDeadLetter'] {
  async function resolve(id: number, decided: { version: Version; by: string }, deadlineAt: number) {
    try {
      await beforeDeadline(resolveDeadLetter(ctx.db, id, decided), deadlineAt);
      return true;
    } catch (error) {
      ctx.log.warn(
        { err: error, deadLetter: id },
        'a dead letter was corrected, and could not be given up for it',
      );
      return false;
    }
  }

  return async (id, value, { by }, { deadlineAt }) => {
    const letter = await requireDeadLetter(ctx.db, id).catch((error: unknown) => {
      throw unavailable(error);
    });
    const isGivenUp = letter.state !== 'dead';
    if (isGivenUp && !letter.corrected) throw deadLetterDiscarded();
    const collection = collections.get(letter.collection);
    if (collection === undefined) {
      throw new HoldfastError(
        'collection-not-found',
        'The collection of this dead letter is not configured any more. Nothing was written.',
      );
    }
    const condition = isGivenUp
      ? never(letter.version)
      : unwrittenSince((await read(collection, letter.key, { deadlineAt })).state, letter.version);
    const receipt = await put(collection, letter.key, value, {
      deadlineAt: deadlineAt - RESOLVE_MS,
      durability: 'persisted',
      condition,
      idempotency: { key: digest(`dead letter ${id}\n${value}`), fingerprint: digest(value) },
    }).catch((error: unknown) => {
      // Given up for a correction with another value, or for one that is remembered no longer.
      const isOther = error instanceof HoldfastError && error.code === 'precondition-failed';
      throw isGivenUp && isOther ? deadLetterDiscarded() : error;
    });
    // In Redis alone it could be lost, and then the dead letter is all there is.
    const safe = receipt.state !== 'cached';
    const resolved = isGivenUp || (safe && (await resolve(id, { version: receipt.version, by }, deadlineAt)));
    ctx.log.info({ deadLetter: id, by, version: receipt.version, resolved }, 'a dead letter was corrected');
    return { ...receipt, resolved };
  };
}

/** What the entry was when the dead letter was written still holds. */
function unwrittenSince({ version, value }: EntryState, dead: Version): WriteCondition {
  if (version > dead) return never(dead);
  return value === null ? { ifAbsent: true } : { ifVersion: version };
}

/**
 * Names a version that nobody can have: it fails, unless the write was made before, which is answered without looking at the
 * condition.
 */
function never(dead: Version): WriteCondition {
  return { ifVersion: dead };
}

/** 132 bits, as of the keys of clients: hashed with a prefix that none of those has. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
