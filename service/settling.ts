import { entryId } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { EntryVersion } from '../domain/mutation.ts';
import { partitionOf } from '../domain/partition.ts';
import type { Context } from './context.ts';
import { pause, remainingMs } from './deadline.ts';
import type { Flusher } from './flusher.ts';
import type { Unsettled } from './found.ts';
import type { Waiters } from './waiters.ts';

const LOOK_AGAIN_MS = 50;

/** For collections with durable reads: waits until what a read found cannot be lost any more. */
export interface Settling {
  /**
   * Whether this version may be returned: its batch is in Temporal. `false`: nobody can tell, or the write was undone: read
   * again.
   * @throws HoldfastError `deadline-exceeded`.
   */
  queued(entry: EntryVersion, unsettled: Unsettled, deadlineAt: number): Promise<boolean>;
}

export function createSettling(
  ctx: Context,
  deps: { readonly waiters: Waiters; readonly flusher: Flusher },
): Settling {
  const { waiters, flusher } = deps;
  return {
    async queued(entry, unsettled, deadlineAt) {
      if (remainingMs(deadlineAt) <= 0) throw notInTime();
      if (unsettled === 'somewhere') {
        await pause(LOOK_AGAIN_MS, deadlineAt);
        return false;
      }
      const waiting = waiters.wait(unsettled, [entry], 'queued', remainingMs(deadlineAt));
      flusher.wake(partitionOf(entryId(entry), ctx.environment.PARTITIONS));
      const { level, setAside } = await waiting;
      if (level === 'timeout') throw notInTime();
      return level === 'queued' || (level === 'persisted' && !setAside.has(entryId(entry)));
    },
  };
}

function notInTime(): HoldfastError {
  return new HoldfastError(
    'deadline-exceeded',
    'The newest value of the entry is not in the durable queue yet, and the collection returns only what is. Nothing was changed. Try again.',
  );
}
