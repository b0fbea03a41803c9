import type { Capability, CollectionAccess } from '../config/keys.ts';
import { COLLECTION_NAME } from '../domain/entry.ts';
import type { ApiContext } from './api-env.ts';
import { ANYBODY, type Caller, mayUse } from './caller.ts';
import { requestId } from './middleware/request-id.ts';
import { HttpError } from './problem.ts';

/** The caller of a request. Only routes that are not `public` have one. */
export function callerOf(c: ApiContext): Caller {
  if (c.env.caller === undefined) throw new Error('a route asked for its caller that has access: public');
  return c.env.caller;
}

/** Who decides something, for the record that is kept of it. */
export function deciderOf(c: ApiContext): string {
  const caller = callerOf(c);
  return caller === ANYBODY ? `api ${requestId(c.env)}` : `key ${caller.name}, api ${requestId(c.env)}`;
}

/**
 * For routes whose body names collections. Ask before looking for the collection: who may not use it must not learn whether
 * there is one.
 * @throws HttpError forbidden, which names the scope that is missing.
 */
export function requireAccess(c: ApiContext, access: CollectionAccess, collection: string): void {
  if (mayUse(callerOf(c), access, collection)) return;
  throw missingScope(access, collection);
}

/** RFC 6750 has a form for what is missing, so that programs can read it, too. */
export function missingScope(access: CollectionAccess | Capability, collection = '*'): HttpError {
  const name = COLLECTION_NAME.test(collection) ? collection : '*';
  const scope = access === 'read' || access === 'write' ? `${access}:${name}` : access;
  return new HttpError('forbidden', `This API key lacks the scope "${scope}".`, {
    headers: {
      'www-authenticate': `Bearer realm="holdfast", error="insufficient_scope", scope="${scope}"`,
    },
  });
}
