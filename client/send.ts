import { setTimeout as sleep } from 'node:timers/promises';
import { timerMs } from './deadline.ts';
import { type ErrorCode, HoldfastClientError } from './holdfast-error.ts';
import type { Problem } from './types.ts';

export interface Request {
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST';
  /** Below the address of the API. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /**
   * What a repetition may do. `read`: nothing. `repeatable`: what the request does, once more or not. `once`: the same a
   * second time, so it is repeated only where it certainly did not happen.
   */
  readonly effect: 'read' | 'repeatable' | 'once';
}

export interface Sender {
  readonly url: string;
  readonly key: string | undefined;
  readonly fetch: typeof fetch;
}

/** What a request came to, read to its end. */
export interface Answer {
  readonly headers: Headers;
  /** As it came, which is JSON. */
  readonly text: string;
  readonly json: unknown;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Of a write: it certainly did not happen, and may the next time. */
const TURNED_AWAY: ReadonlySet<ErrorCode> = new Set([
  'rate-limited',
  'overloaded',
  'queue-full',
  'draining',
  'dependency-unavailable',
  'deadline-exceeded',
]);

/**
 * Sends a request, and again as long as that is safe, promising and in time: after `Retry-After` where the server names it,
 * else after pauses that grow, with jitter.
 * @throws HoldfastClientError; the signal's reason where it was aborted
 */
export async function send(
  sender: Sender,
  request: Request,
  { signal, deadlineMs }: { readonly signal: AbortSignal | undefined; readonly deadlineMs: number },
): Promise<Answer> {
  const deadline = performance.now() + deadlineMs;
  const headers = headersOf(sender, request);
  let doubtful = false;
  for (let tries = 0; ; tries++) {
    const answer = await attempt(sender, { ...request, headers }, signal, deadline - performance.now());
    if (!('error' in answer)) return answer;
    const { error, retryAfterMs } = answer;
    doubtful ||= error.outcomeUnknown;
    const left = deadline - performance.now();
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS);
    const pause = Math.max(retryAfterMs, longest * (0.5 + Math.random() / 2));
    if (!mayRepeat(request, error) || pause >= left) throw withDoubt(error, doubtful);
    await sleep(timerMs(pause), undefined, signal === undefined ? {} : { signal }).catch(() =>
      signal?.throwIfAborted(),
    );
  }
}

/** @throws HoldfastClientError where one of them is none: `fetch` would fail as if there were no network, every time. */
function headersOf({ key }: Sender, { headers }: Request): Headers {
  const all = new Headers(key === undefined ? {} : { authorization: `Bearer ${key}` });
  for (const [name, value] of Object.entries(headers ?? {})) {
    try {
      all.set(name, value);
    } catch (cause) {
      const message = `The header ${name} cannot be sent: it holds characters that no header may.`;
      throw new HoldfastClientError('invalid-request', message, { cause });
    }
  }
  return all;
}

interface Failure {
  readonly error: HoldfastClientError;
  /** 0 where the server names no time. */
  readonly retryAfterMs: number;
}

async function attempt(
  { url, fetch: fetchOf }: Sender,
  { method, path, headers, body, effect }: Omit<Request, 'headers'> & { readonly headers: Headers },
  signal: AbortSignal | undefined,
  leftMs: number,
): Promise<Answer | Failure> {
  signal?.throwIfAborted();
  const timeout = AbortSignal.timeout(timerMs(Math.max(1, Math.ceil(leftMs))));
  try {
    const response = await fetchOf(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    // A connection may break inside the body, too.
    const text = await response.text();
    return response.ok ? answerOf(response, text) : failureOf(response, text, effect);
  } catch (cause) {
    signal?.throwIfAborted();
    const outcomeUnknown = effect !== 'read';
    const error = timeout.aborted
      ? new HoldfastClientError('deadline', 'There was no answer in time.', { outcomeUnknown, cause })
      : new HoldfastClientError('network', 'There was no answer.', { outcomeUnknown, cause });
    return { error, retryAfterMs: 0 };
  }
}

/** @throws SyntaxError where it is none of Holdfast's, such as the page of a proxy, or was cut off. */
function answerOf({ headers }: Response, text: string): Answer {
  return { headers, text, json: JSON.parse(text) };
}

function failureOf(response: Response, text: string, effect: Request['effect']): Failure {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1_000 : 0;
  const problem =
    response.headers.get('content-type') === 'application/problem+json' ? parse(text) : undefined;
  if (problem === undefined) {
    const message = `An answer with status ${response.status} that is not Holdfast's.`;
    const outcomeUnknown = effect !== 'read';
    return { error: new HoldfastClientError('network', message, { outcomeUnknown }), retryAfterMs };
  }
  const doubtful = problem.code === 'outcome-unknown' || problem.code === 'internal';
  const outcomeUnknown = doubtful && effect !== 'read';
  return {
    error: new HoldfastClientError(problem.code, problem.detail, { problem, outcomeUnknown }),
    retryAfterMs,
  };
}

function parse(text: string): Problem | undefined {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return undefined;
  }
}

function mayRepeat({ effect }: Request, { code }: HoldfastClientError): boolean {
  if (TURNED_AWAY.has(code)) return true;
  return (code === 'network' || code === 'outcome-unknown') && effect !== 'once';
}

/** A last try that was turned away says nothing of the tries before it. */
function withDoubt(error: HoldfastClientError, doubtful: boolean): HoldfastClientError {
  if (!doubtful || error.outcomeUnknown) return error;
  const { code, message, problem } = error;
  return new HoldfastClientError(code, message, {
    ...(problem === undefined ? {} : { problem }),
    outcomeUnknown: true,
    cause: error,
  });
}
