import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  TemporalFailure,
} from '@temporalio/workflow';

/** How a piece of interruptible work ended. */
export type Ended<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'failed'; readonly failure: string };

/** Runs one activity at a time in a way that update handlers can interrupt. */
export interface Attempts {
  /** Whether something runs now that {@link interrupt} would end. */
  active(): boolean;
  /** Cancels what runs now. An activity that waits for its next attempt ends at once, a running attempt is awaited. */
  interrupt(): void;
  /**
   * Runs `work` to its end. Work that succeeded counts as done even where it was interrupted: what an attempt in flight
   * committed is committed. Throws only what is a fault of the workflow code itself.
   */
  run<T>(work: () => Promise<T>): Promise<Ended<T>>;
}

/** The innermost message: the activity failure around it only says that an activity failed. */
function describe(failure: TemporalFailure): string {
  const cause = failure instanceof ActivityFailure ? (failure.cause ?? failure) : failure;
  return cause instanceof ApplicationFailure ? `${cause.type ?? 'Error'}: ${cause.message}` : cause.message;
}

export function createAttempts(): Attempts {
  let current: CancellationScope | undefined;
  return {
    active: () => current !== undefined,
    interrupt: () => current?.cancel(),
    async run(work) {
      const scope = new CancellationScope({ cancellable: true });
      current = scope;
      try {
        return { kind: 'done', value: await scope.run(work) };
      } catch (error) {
        if (scope.consideredCancelled) return { kind: 'interrupted' };
        if (error instanceof TemporalFailure) return { kind: 'failed', failure: describe(error) };
        throw error;
      } finally {
        current = undefined;
      }
    },
  };
}
