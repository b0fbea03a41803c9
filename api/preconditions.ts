import type { IncomingHttpHeaders } from 'node:http';
import type { WriteCondition } from '../domain/condition.ts';
import { HoldfastError } from '../domain/errors.ts';
import { parseVersion, type Version } from '../domain/version.ts';

/**
 * The condition of a write: `If-Match: "<version>"` or `If-None-Match: *`.
 * @throws HoldfastError invalid-request for every other form: a condition that is not understood must not be ignored.
 */
export function writeCondition(headers: IncomingHttpHeaders): WriteCondition | undefined {
  const ifMatch = headers['if-match'];
  const ifNoneMatch = headers['if-none-match'];
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw new HoldfastError('invalid-request', 'Send either If-Match or If-None-Match, not both.');
  }
  if (ifMatch === undefined) {
    if (ifNoneMatch?.trim() === '*') return { ifAbsent: true };
    throw new HoldfastError(
      'invalid-request',
      'If-None-Match of a write must be *: "only if there is none yet".',
    );
  }
  if (ifMatch.trim().startsWith('W/')) {
    throw new HoldfastError(
      'invalid-request',
      'If-Match holds a weak ETag (W/"…"), which never matches: something on the way, such as a proxy that compresses, changed it. Send the version in quotes, without W/. Nothing was written.',
    );
  }
  const version = parseVersion(/^"(\d+)"$/.exec(ifMatch.trim())?.[1] ?? '');
  // Version 0 is what was never written, and never an ETag.
  if (version === undefined || version === 0) {
    throw new HoldfastError(
      'invalid-request',
      'If-Match must be one ETag of this entry, such as "1790000000000000".',
    );
  }
  return { ifVersion: version };
}

/** Whether `If-None-Match` of a read names the version of an entry (or of a document) that exists: nothing new to send. */
export function notModified(header: string | undefined, version: Version | string): boolean {
  if (header === undefined) return false;
  const tag = `"${version}"`;
  if (header === tag || header.trim() === '*') return true;
  return header.match(/"[^"]*"/g)?.some((named) => named === tag) ?? false;
}
