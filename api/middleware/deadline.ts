import type { Logger } from 'pino';
import { HoldfastError } from '../../domain/errors.ts';
import type { ApiContext, ApiHandler } from '../api-env.ts';
import { requestId } from './request-id.ts';

/** Use cases keep the deadline themselves. Only one that fails to is cut off, this much later. */
const GRACE_MS = 1_000;

export interface Deadline {
  /** The whole of a request, from its headers to its answer, in ms. */
  readonly limitMs: number;
  readonly log: Logger;
}

/**
 * Gives a handler its deadline, and the client an answer when it is missed. `effect` says what a request without an answer
 * may have done: a write that was handed on may still happen.
 */
export function withDeadline(
  { limitMs, log }: Deadline,
  effect: 'read' | 'write',
  handler: ApiHandler,
): (c: ApiContext) => Promise<Response> {
  return (c) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        log.error({ requestId: requestId(c.env) }, 'a request was cut off: it outlived its deadline');
        reject(late(effect));
      }, limitMs + GRACE_MS);
      handler(c, performance.now() + limitMs).then(
        (response) => {
          clearTimeout(timer);
          resolve(response);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
}

function late(effect: 'read' | 'write'): HoldfastError {
  return effect === 'read'
    ? new HoldfastError('deadline-exceeded', 'There was no answer within the time a request may take.')
    : new HoldfastError(
        'outcome-unknown',
        'There was no answer within the time a request may take: the write may or may not have happened.',
      );
}
