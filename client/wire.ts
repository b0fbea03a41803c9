import { HoldfastClientError } from './holdfast-error.ts';

// What goes into a request and comes out of an answer. What cannot be sent is not sent, nor anything in its place.

/** One half of a surrogate pair without the other. */
const HALF = /\p{Surrogate}/u;

/**
 * A part of a path or of a query, percent-encoded.
 * @throws HoldfastClientError where UTF-8 has no form for it.
 */
export function encoded(text: string): string {
  requireWhole(text, 'The name of a collection, key or prefix');
  return encodeURIComponent(text);
}

/**
 * A JSON text as it is.
 * @throws HoldfastClientError where `fetch` would silently send another one.
 */
export function sendable(json: string): string {
  requireWhole(json, 'The JSON text');
  return json;
}

/** @throws HoldfastClientError where the value has no form in JSON, such as `undefined`, a `bigint`, or a circle. */
export function jsonOf(value: unknown): string {
  try {
    const json: string | undefined = JSON.stringify(value);
    if (json !== undefined) return json;
  } catch (cause) {
    throw unsendable('The value cannot be written as JSON', cause);
  }
  throw unsendable(`The value cannot be written as JSON: it is of type ${typeof value}`);
}

/** @throws HoldfastClientError where it is none, such as `NaN`. */
export function entityTag(version: number): string {
  if (!Number.isSafeInteger(version)) throw unsendable(`ifMatch must be a version, and ${version} is none`);
  return `"${version}"`;
}

/**
 * The version that an answer names. A proxy that compresses makes the tag weak, or adds a suffix such as `-gzip`: the value
 * behind it, and so its version, is the same.
 * @throws HoldfastClientError where there is none.
 */
export function versionIn(headers: Headers): number {
  const tag = /^(?:W\/)?"(\d+)(?:-[\w-]+)?"$/.exec(headers.get('etag') ?? '');
  if (tag !== null) return Number(tag[1]);
  throw new HoldfastClientError(
    'network',
    'The answer names no version of the entry: something between here and Holdfast took its ETag away or changed it.',
  );
}

function requireWhole(text: string, what: string): void {
  if (HALF.test(text)) throw unsendable(`${what} holds half of a surrogate pair`);
}

function unsendable(message: string, cause?: unknown): HoldfastClientError {
  return new HoldfastClientError('invalid-request', `${message}. Nothing was sent.`, { cause });
}
