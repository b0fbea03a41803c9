import { type Acknowledgement, satisfies } from '../domain/acknowledgement.ts';
import { type BatchId, parseBatchId } from '../domain/batch.ts';
import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import { currentEpoch } from '../storage/redis/recover.ts';
import type { Context } from './context.ts';
import { beforeDeadline, remainingMs } from './deadline.ts';
import type { Flusher } from './flusher.ts';
import { outcomeUnknown } from './trouble.ts';
import type { Waiters } from './waiters.ts';

/** Kept back from a wait, so that a request that gives up can still ask Redis whether its epoch is current. */
const LAST_QUESTION_MS = 250;

/** Writes that are staged in one batch. */
export interface StagedTogether {
  readonly partition: number;
  readonly batchId: BatchId;
  readonly writes: readonly EntryVersion[];
}

/** How far they came. `unknown`: nobody can tell, for that reason. */
export type Reached =
  | { readonly level: Acknowledgement; readonly setAside: ReadonlySet<string> }
  | { readonly level: 'unknown'; readonly reason: string };

const CACHED: Reached = { level: 'cached', setAside: new Set() };

/** Has staged writes flushed, and waits until they reached the level that is wanted or the deadline is near. Never throws. */
export type Acknowledge = (
  staged: StagedTogether,
  wanted: Acknowledgement,
  deadlineAt: number,
) => Promise<Reached>;

export function createAcknowledge(
  ctx: Context,
  { waiters, flusher }: { readonly waiters: Waiters; readonly flusher: Flusher },
): Acknowledge {
  /** A write that gives up waiting is `cached` only if its epoch is still the current one in Redis. */
  async function stillCurrent(partition: number, batchId: BatchId, deadlineAt: number): Promise<boolean> {
    try {
      const { epoch } = await beforeDeadline(currentEpoch(ctx.redis, partition), deadlineAt);
      return epoch === parseBatchId(batchId)?.epoch;
    } catch {
      return false;
    }
  }

  return async ({ partition, batchId, writes }, wanted, deadlineAt) => {
    if (satisfies('cached', wanted)) {
      flusher.staged(partition, batchId, false);
      return CACHED;
    }
    const timeoutMs = Math.max(1, remainingMs(deadlineAt) - LAST_QUESTION_MS);
    const waiting = waiters.wait(batchId, writes, wanted, timeoutMs);
    flusher.staged(partition, batchId, true);
    const { level, setAside } = await waiting;
    if (level === 'unknown') {
      return { level, reason: 'Redis lost its memory while the write was on its way.' };
    }
    if (level !== 'timeout') return { level, setAside };
    if (await stillCurrent(partition, batchId, deadlineAt)) return CACHED;
    return { level: 'unknown', reason: 'Redis could not say whether it still has the write.' };
  };
}

/** How far one of the writes came, or why that is an error. */
export function levelOf(write: EntryVersion, reached: Reached): Acknowledgement | HoldfastError {
  if (reached.level === 'unknown') return outcomeUnknown(reached.reason);
  const { level, setAside } = reached;
  if (setAside.size === 0 || !setAside.has(entryId(write))) return level;
  return new HoldfastError(
    'invalid-request',
    'The write did not reach the database: PostgreSQL refused its value, or an operator discarded it. It was put into the dead letters, and the entry keeps its former value.',
  );
}
