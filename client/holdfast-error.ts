import type { Problem, ProblemCode } from './types.ts';

/** `network`: no answer, or none that Holdfast gave. `deadline`: the time of the call was over. */
export type ErrorCode = ProblemCode | 'network' | 'deadline';

/** Every way in which a call fails, but for an `AbortSignal`, whose own reason is thrown. */
export class HoldfastClientError extends Error {
  readonly code: ErrorCode;
  /** What the server said, where it did. */
  readonly problem: Problem | undefined;
  /** Whether the write may have happened. Always `false` of reads. */
  readonly outcomeUnknown: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly problem?: Problem; readonly outcomeUnknown?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastClientError';
    this.code = code;
    this.problem = options.problem;
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}
