import { STATUS_CODES } from 'node:http';
import type { ErrorCode, ErrorDetails } from '../domain/errors.ts';
import type { ApiContext } from './api-env.ts';
import { newRequestId, requestId } from './middleware/request-id.ts';
import { namedErrors } from './named-errors.ts';
import { rawPath } from './path.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** What only an HTTP server can complain about. */
export type HttpErrorCode =
  | 'route-not-found'
  | 'method-not-allowed'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-acceptable'
  | 'rate-limited'
  | 'request-timeout'
  | 'unsupported-media-type'
  | 'overloaded';

export type ProblemCode = ErrorCode | HttpErrorCode;

/** The one mapping of error codes to HTTP. Titles never change from one occurrence to the next. */
export const PROBLEMS: Readonly<Record<ProblemCode, { readonly status: number; readonly title: string }>> = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'An API key is needed' },
  forbidden: { status: 403, title: 'This is not allowed' },
  'route-not-found': { status: 404, title: 'There is nothing at this path' },
  'collection-not-found': { status: 404, title: 'The collection is not configured' },
  'entry-not-found': { status: 404, title: 'The entry does not exist' },
  'batch-not-found': { status: 404, title: 'There is no such open batch' },
  'dead-letter-not-found': { status: 404, title: 'The dead letter does not exist' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'not-acceptable': { status: 406, title: 'There is no answer of a type that Accept names' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'counter-overflow': { status: 409, title: 'The counter would leave its range' },
  'batch-not-waiting': { status: 409, title: 'The batch waits for no retry' },
  'dead-letter-discarded': { status: 409, title: 'The dead letter was discarded' },
  'dead-letter-refused': { status: 409, title: 'PostgreSQL refuses the write still' },
  'precondition-failed': { status: 412, title: 'The entry has another version' },
  'value-too-large': { status: 413, title: 'The value is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be JSON' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key belongs to another request' },
  'rate-limited': { status: 429, title: 'Too many requests for this API key' },
  internal: { status: 500, title: 'Something went wrong inside Holdfast' },
  'queue-full': { status: 503, title: 'The queue to the database is full' },
  draining: { status: 503, title: 'The queue to the database is being emptied' },
  'dependency-unavailable': { status: 503, title: 'A part of the system is out of reach' },
  'outcome-unknown': { status: 503, title: 'The write may or may not have happened' },
  overloaded: { status: 503, title: 'Too many requests at once' },
  'deadline-exceeded': { status: 504, title: 'There was no answer in time' },
};

/** In seconds: where the error itself does not say when trying again makes sense. */
const RETRY_AFTER_SECONDS = 1;

export interface Problem extends ErrorDetails {
  readonly code: ProblemCode;
  /** Written for the caller: no internals, no values. */
  readonly detail: string;
  /** For headers that belong to the code: `Allow`, `Cache-Status`. Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ends a request with one of the codes that have no meaning outside HTTP. */
export class HttpError extends Error {
  readonly code: HttpErrorCode;
  readonly extras: Pick<Problem, 'headers' | 'retryAfterSeconds'>;

  constructor(code: HttpErrorCode, detail: string, extras: HttpError['extras'] = {}) {
    super(detail);
    this.name = 'HttpError';
    this.code = code;
    this.extras = extras;
  }
}

/** RFC 9457 problem details as the answer to a request. */
export function problemResponse(c: ApiContext, problem: Problem): Response {
  c.env.problem = problem.code;
  return toResponse(problem, requestId(c.env), uriReference(rawPath(c.env.incoming.url ?? '/')));
}

/** The same as JSON text, for an answer that holds several; with the time that `Retry-After` would say. */
export function problemJson(problem: Problem, id: string): string {
  const { status } = PROBLEMS[problem.code];
  const again = status === 503 ? { retryAfterSeconds: Number(retryAfter(problem.retryAfterSeconds)) } : {};
  return JSON.stringify({ ...members(problem, id, undefined), ...again });
}

/** The same for what was too broken to be taken for a request: no path is known then. */
export function problemWithoutRequest(problem: Problem): Response {
  return toResponse(problem, newRequestId(), undefined);
}

/** The same as a whole HTTP message, for a socket on which no request could be read. */
export function problemMessage(status: 400 | 408 | 431, detail: string): string {
  const id = newRequestId();
  const code = status === 408 ? 'request-timeout' : 'invalid-request';
  const body = JSON.stringify({ ...members({ code, detail }, id, undefined), status });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${id}`,
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
    '',
    body,
  ].join('\r\n');
}

function toResponse(problem: Problem, id: string, instance: string | undefined): Response {
  const { status } = PROBLEMS[problem.code];
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-request-id': id,
    ...SECURITY_HEADERS,
    ...problem.headers,
  };
  if (status === 503 || status === 429) headers['retry-after'] = retryAfter(problem.retryAfterSeconds);
  if (problem.currentVersion) headers.etag = `"${problem.currentVersion}"`;
  return new Response(JSON.stringify(members(problem, id, instance)), { status, headers });
}

/** Members without a value are left out by `JSON.stringify`. */
function members(problem: Problem, id: string, instance: string | undefined) {
  const { status, title } = PROBLEMS[problem.code];
  const { detail, errors } = namedErrors(problem.detail, problem.errors);
  return {
    type: `urn:holdfast:problem:${problem.code}`,
    title,
    status,
    detail,
    instance,
    code: problem.code,
    requestId: id,
    errors,
    dependency: problem.dependency,
    currentVersion: problem.currentVersion,
  };
}

function retryAfter(seconds = RETRY_AFTER_SECONDS): string {
  return String(Math.max(1, Math.ceil(seconds)));
}

/** The path as it came, with what no URI may contain encoded: `instance` must be a valid reference. */
function uriReference(path: string): string {
  return path.replace(/%(?![0-9a-f]{2})|[^\w.~!$&'()*+,;=:@/%-]/gi, encodeURIComponent);
}
