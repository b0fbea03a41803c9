import { isGrpcServiceError, NamespaceNotFoundError } from '@temporalio/client';
import type { TemporalCalls, TimelyCalls } from './call-deadline.ts';

/**
 * Temporal did not answer, not in time, or not as asked. Says nothing about whether the call took effect: a start that
 * ended like this may have started the workflow.
 */
export class TemporalUnreachable extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'TemporalUnreachable';
  }
}

/** Temporal holds something that this process cannot read. It is not lost: another version or other settings can. */
export class UnreadableBatch extends Error {
  /** What a person does about it. */
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = 'UnreadableBatch';
    this.remedy = remedy;
  }
}

export function isTemporalUnreachable(error: unknown): error is TemporalUnreachable {
  return error instanceof TemporalUnreachable;
}

/** gRPC status codes. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

/** These blame the request itself: trying again, or elsewhere, cannot help. */
const BLAMES_REQUEST = new Set([INVALID_ARGUMENT, UNIMPLEMENTED]);

/** The server's own error in a chain of causes. */
function grpcError(error: unknown) {
  for (let e = error; e instanceof Error; e = e.cause) if (isGrpcServiceError(e)) return e;
  return undefined;
}

/** Whether a raw call failed because the server knows no such run. A missing namespace says "not found" as well. */
export function isNoSuchRun(error: unknown): boolean {
  const grpc = grpcError(error);
  return grpc?.code === NOT_FOUND && !/namespace/i.test(grpc.details);
}

/**
 * Runs one or more calls with a deadline (milliseconds from now) for all of them together.
 * @throws TemporalUnreachable for whatever is not the fault of the request: unreachable, too late, overloaded, not let
 * in. Errors with a meaning of their own (not found, already started) pass as they are.
 */
export async function withDeadline<T>(
  temporal: TimelyCalls,
  deadlineMs: number,
  work: (calls: TemporalCalls) => Promise<T>,
): Promise<T> {
  try {
    return await temporal.within(deadlineMs, work);
  } catch (error) {
    if (error instanceof NamespaceNotFoundError) {
      throw new TemporalUnreachable(`Temporal has no namespace "${error.namespace}"`, error);
    }
    const grpc = grpcError(error);
    if (grpc === undefined || BLAMES_REQUEST.has(grpc.code)) throw error;
    throw new TemporalUnreachable(`Temporal: ${grpc.details || grpc.message}`, error);
  }
}
