import type { CollectionAccess } from '../../config/keys.ts';
import type { RateRefusal } from '../../service/rate-limiter.ts';
import { accepts } from '../accept.ts';
import { missingScope } from '../access.ts';
import type { ApiContext, ApiDeps, ApiHandler } from '../api-env.ts';
import { createKeyring } from '../bearer.ts';
import { ANYBODY, type Caller, mayUse } from '../caller.ts';
import { codecOrigins } from '../cors.ts';
import { collectionInPath, rawPath } from '../path.ts';
import { HttpError } from '../problem.ts';
import type { Route } from '../route.ts';
import { createWebPageCheck } from '../web-pages.ts';

/** Why a request gets no further; `undefined` where it does. */
type Check = (c: ApiContext) => HttpError | undefined;

/**
 * Stands before every handler and lets pass who may use the route, at the rate allowed, and can take the answer. Nothing of
 * a refused request is done, and its body is not read. What can be known of a route beforehand is.
 */
export function createGuard(deps: ApiDeps): (route: Route, handler: ApiHandler) => ApiHandler {
  const admission = deps.keys.length > 0 ? byKey(deps) : anybody(deps);
  return (route, handler) => {
    const admit = route.access === 'public' ? undefined : admission(route);
    const negotiate = acceptable(route);
    return (c, deadlineAt) => {
      const refused = admit?.(c) ?? negotiate(c);
      return refused === undefined ? handler(c, deadlineAt) : Promise.reject(refused);
    };
  };
}

function byKey({ keys, holdfast }: ApiDeps): (route: Route) => Check {
  const find = createKeyring(keys);
  return (route) => {
    const lacks = scopeCheck(route);
    return (c) => {
      const { authorization } = c.env.incoming.headers;
      const key = find(authorization);
      if (key === undefined) return unauthenticated(authorization);
      const tooMany = holdfast.rateLimits.take(key.name);
      if (tooMany !== undefined) return rateLimited(tooMany);
      c.env.caller = key;
      return lacks(key, c);
    };
  };
}

function anybody({ settings }: ApiDeps): (route: Route) => Check {
  const { ALLOWED_HOSTS: allowedHosts, CORS_ORIGINS: corsOrigins } = settings;
  const check = createWebPageCheck({ allowedHosts, corsOrigins });
  const codecCheck = createWebPageCheck({ allowedHosts, corsOrigins: codecOrigins(settings) });
  return ({ access }) => {
    const problemOf = access === 'codec' ? codecCheck : check;
    return (c) => {
      c.env.caller = ANYBODY;
      const problem = problemOf(c.env.incoming.headers);
      return problem === undefined ? undefined : new HttpError('forbidden', problem);
    };
  };
}

/**
 * The scope that a route asks for. Where its path names no collection, that of any will do here: the handler knows which
 * collections the request is about. Nobody sends a body of writes who may write nothing; the list of collections is for
 * whoever may use one, and writing does not include reading.
 */
function scopeCheck({ access, path }: Route): (caller: Caller, c: ApiContext) => HttpError | undefined {
  if (access === 'public') return () => undefined;
  if (access === 'ops' || access === 'codec' || access === 'metrics') {
    return ({ scopes }) => (scopes[access] ? undefined : missingScope(access));
  }
  if (path.includes(':collection')) {
    return (caller, c) => {
      const collection = collectionInPath(rawPath(c.env.incoming.url ?? '/'));
      return mayUse(caller, access, collection) ? undefined : missingScope(access, collection);
    };
  }
  const enough: readonly CollectionAccess[] = access === 'write' ? ['write'] : ['read', 'write'];
  return ({ scopes }) => (enough.some((one) => scopes[one].size > 0) ? undefined : missingScope(access));
}

/** What `Accept` must let pass: what the route answers. Problems come as they are, whatever it says. */
function acceptable({ operation }: Route): Check {
  // Files of one type each, for the page that asks for them.
  if (operation === null) return () => undefined;
  const answers = Object.values(operation?.answers ?? { 200: {} });
  const types = [...new Set(answers.map(({ type }) => type ?? 'application/json'))];
  const [usual] = types;
  return (c) => {
    const { accept } = c.env.incoming.headers;
    if (accept === undefined || accept === '*/*' || accept === usual) return undefined;
    if (accepts(accept, types)) return undefined;
    return new HttpError('not-acceptable', `Accept excludes what this path answers: ${types.join(', ')}.`);
  };
}

/** RFC 6750: only who sent something is told that it is wrong. */
function unauthenticated(header: string | undefined): HttpError {
  return header === undefined
    ? new HttpError('unauthenticated', 'Send an API key: "Authorization: Bearer hf_…".', {
        headers: { 'www-authenticate': 'Bearer realm="holdfast"' },
      })
    : new HttpError('unauthenticated', 'The Authorization header holds no API key that is known here.', {
        headers: { 'www-authenticate': 'Bearer realm="holdfast", error="invalid_token"' },
      });
}

/** With the fields of draft-ietf-httpapi-ratelimit-headers: a burst, and how long it takes to have all of it again. */
function rateLimited({ retryAfterSeconds, limit: { perSecond, burst } }: RateRefusal): HttpError {
  const wait = Math.max(1, Math.ceil(retryAfterSeconds));
  return new HttpError('rate-limited', `This API key may send ${perSecond} requests a second.`, {
    retryAfterSeconds: wait,
    headers: {
      'ratelimit-policy': `"key";q=${burst};w=${Math.ceil(burst / perSecond)}`,
      ratelimit: `"key";r=0;t=${wait}`,
    },
  });
}
