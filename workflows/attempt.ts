import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  TemporalFailure,
} from '@temporalio/workflow';

/** Why an activity ended without a result, as far as its workflow is told. */
export interface Failure {
  /** A SQLSTATE, `unreachable`, or the name of an error. */
  readonly kind: string;
  readonly message: string;
}

/** How a piece of interruptible work ended. */
export type Ended<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'failed'; readonly failure: Failure };

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

/** The innermost failure: the activity failure around it only says that an activity failed. */
function describe(failure: TemporalFailure): Failure {
  const cause = failure instanceof ActivityFailure ? (failure.cause ?? failure) : failure;
  if (!(cause instanceof ApplicationFailure)) return { kind: cause.name, message: cause.message };
  const type = cause.type ?? 'Error';
  // What made the batch wait for a person has its SQLSTATE beside it.
  const [detail] = cause.details ?? [];
  return { kind: typeof detail === 'string' ? detail : type, message: `${type}: ${cause.message}` };
}

export function createAttempts(): Attempts {
  let current: { readonly scope: CancellationScope; interrupted: boolean } | undefined;
  return {
    active: () => current !== undefined,
    interrupt() {
      if (current === undefined) return;
      current.interrupted = true;
      current.scope.cancel();
    },
    async run(work) {
      const attempt = { scope: new CancellationScope({ cancellable: true }), interrupted: false };
      current = attempt;
      try {
        return { kind: 'done', value: await attempt.scope.run(work) };
      } catch (error) {
        if (attempt.interrupted) return { kind: 'interrupted' };
        // A caller that tried again inside a cancelled scope would spin for ever and take the worker process down.
        if (attempt.scope.consideredCancelled)
          throw new Error('attempts must run in a scope that nobody cancels');
        if (error instanceof TemporalFailure) return { kind: 'failed', failure: describe(error) };
        throw error;
      } finally {
        current = undefined;
      }
    },
  };
}
