import { randomBytes } from 'node:crypto';
import type { ApiBindings } from '../api-env.ts';

/** Longer ids, or ones with other characters, could break a log line or a header: they are replaced. */
const WELL_FORMED = /^[\w.~:+/=@-]{1,128}$/;

const prefix = `${randomBytes(6).toString('hex')}-`;
let made = 0;

/**
 * The id of a request: the caller's `X-Request-Id` where it is well formed, else one that is unique to this process's
 * life and cheap to make. Always the same one for the same request.
 */
export function requestId(env: ApiBindings): string {
  if (env.requestId === undefined) {
    const given = env.incoming.headers['x-request-id'];
    env.requestId = typeof given === 'string' && WELL_FORMED.test(given) ? given : newRequestId();
  }
  return env.requestId;
}

/** An id for an answer to something that was too broken to be a request. */
export function newRequestId(): string {
  made += 1;
  return prefix + made.toString(36);
}
