import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../domain/errors.ts';

/** Milliseconds left until `deadlineAt` (this process's monotonic clock), never below 0. */
export function remainingMs(deadlineAt: number): number {
  return Math.max(0, deadlineAt - performance.now());
}

/** @throws HoldfastError `deadline-exceeded` where no time is left to try once more. */
function assertTimeLeft(deadlineAt: number): void {
  if (remainingMs(deadlineAt) <= 0) throw deadlineExceeded();
}

function deadlineExceeded(): HoldfastError {
  return new HoldfastError(
    'deadline-exceeded',
    'The request ran out of time before anything was decided. A read changed nothing; a write did not happen.',
  );
}

/** Waits, but not past the deadline. @throws HoldfastError `deadline-exceeded`. */
export async function pause(ms: number, deadlineAt: number): Promise<void> {
  assertTimeLeft(deadlineAt);
  await sleep(Math.min(ms, remainingMs(deadlineAt)));
}

/**
 * The promise's result, unless the deadline comes first: then `late` is thrown, where none is given `deadline-exceeded`.
 * The work itself goes on.
 */
export async function beforeDeadline<T>(work: Promise<T>, deadlineAt: number, late?: Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(late ?? deadlineExceeded()), remainingMs(deadlineAt));
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
