import { type EntryRef, keyProblem } from '../domain/entry.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';

/** Where the collection of an entry's path begins. The router has matched the shape of the path already. */
const COLLECTION_AT = '/v1/collections/'.length;
const BETWEEN = '/entries/'.length;

/** `http://host` before the path: the absolute form that proxies send. */
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/**
 * The path of a request target as it came over the wire. A URL parser would drop `..` and `%2e%2e` segments, and Hono
 * would decode it before routing, so that `%2F` inside a key became a slash.
 */
export function rawPath(target: string): string {
  const path = target.charCodeAt(0) === 0x2f ? target : target.replace(ABSOLUTE, '');
  const query = path.indexOf('?');
  return (query === -1 ? path : path.slice(0, query)) || '/';
}

/**
 * Collection and key of `/v1/collections/{collection}/entries/{key}` and of what lies below it, decoded exactly once.
 * @throws HoldfastError invalid-request: not percent-encoded UTF-8, not a key, or a query, which is most likely a key
 * with a `?` that was not encoded: another entry than the one that was meant.
 */
export function entryOf(c: ApiContext): EntryRef {
  const target = c.env.incoming.url ?? '/';
  const path = rawPath(target);
  if (path.length < target.length && hasQuery(target)) {
    throw invalid('this path takes no query; a "?" in a key is written as %3F');
  }
  const slash = path.indexOf('/', COLLECTION_AT);
  const keyAt = slash + BETWEEN;
  const end = path.indexOf('/', keyAt);
  const collection = decode(path.slice(COLLECTION_AT, slash));
  const key = decode(end === -1 ? path.slice(keyAt) : path.slice(keyAt, end));
  const problem = keyProblem(key);
  if (problem !== undefined) throw invalid(problem);
  return { collection, key };
}

/**
 * For paths that take no query: who sends one expects something of it, such as `?atomic=true` of a batch.
 * @throws HoldfastError invalid-request.
 */
export function requireNoQuery(c: ApiContext): void {
  if (hasQuery(c.env.incoming.url ?? '/')) throw invalid('this path takes no query');
}

/** A bare `?` says nothing. */
function hasQuery(target: string): boolean {
  return /\?./.test(target);
}

/** The collection that a path below `/v1/collections/` names; empty where that cannot be decoded: none is called so. */
export function collectionInPath(path: string): string {
  const end = path.indexOf('/', COLLECTION_AT);
  const segment = end === -1 ? path.slice(COLLECTION_AT) : path.slice(COLLECTION_AT, end);
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

/** Node has refused every character beyond ASCII already; a bare `#` it lets through. */
function decode(segment: string): string {
  if (segment.includes('#')) throw invalid('a "#" in the path is written as %23');
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid('the path is not valid percent-encoded UTF-8; a "%" itself is written as %25');
  }
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('invalid-request', message);
}
