import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { HoldfastError } from '../domain/errors.ts';
import { budgetOf, type CountedBody, holdBytes } from './body-budget.ts';
import { HttpError } from './problem.ts';

const JSON_TYPE = /^application\/(?:[\w.!#$&^-]+\+)?json[ \t]*(?:;|$)/i;
const MERGE_PATCH_TYPE = /^application\/merge-patch\+json[ \t]*(?:;|$)/i;
const OTHER_CHARSET = /;[ \t]*charset=(?!"?utf-?8"?[ \t]*(?:;|$))/i;

const EMPTY = Buffer.alloc(0);

/** A request with a body that nobody reads yet. */
export interface UnreadBody extends CountedBody {
  readonly incoming: IncomingMessage;
}

export interface BodyLimits {
  readonly maxBytes: number;
  /** On the process's monotonic clock, in ms. */
  readonly deadlineAt: number;
}

/**
 * The body of a request as text, exactly as it was sent. Empty where there is none.
 * @throws HttpError unsupported-media-type, request-timeout, overloaded; HoldfastError value-too-large, and invalid-request
 * where the bytes are not UTF-8 or end early.
 */
export async function readJsonText(body: UnreadBody, limits: BodyLimits): Promise<string> {
  requireJson(body.incoming.headers);
  return await readText(body, limits);
}

/**
 * The same of a merge patch, whose type must be named: a client that sends a whole value means something else.
 * @throws as {@link readJsonText}.
 */
export async function readMergePatch(body: UnreadBody, limits: BodyLimits): Promise<string> {
  const { headers } = body.incoming;
  const type = headers['content-type'] ?? '';
  if (!MERGE_PATCH_TYPE.test(type) || OTHER_CHARSET.test(type)) {
    throw new HttpError(
      'unsupported-media-type',
      'Send the patch as application/merge-patch+json (RFC 7396) in UTF-8.',
      { headers: { 'accept-patch': 'application/merge-patch+json' } },
    );
  }
  requireIdentity(headers);
  return await readText(body, limits);
}

async function readText(body: UnreadBody, limits: BodyLimits): Promise<string> {
  const bytes = await readBytes(body, limits);
  // Faster than a fatal TextDecoder, and as strict. A byte order mark is kept, and refused as what it is: not JSON.
  if (!isUtf8(bytes)) throw new HoldfastError('invalid-request', 'The body is not valid UTF-8.');
  return bytes.toString('utf8');
}

function requireJson(headers: IncomingHttpHeaders): void {
  const type = headers['content-type'];
  if (
    type !== undefined &&
    type !== 'application/json' &&
    (!JSON_TYPE.test(type) || OTHER_CHARSET.test(type))
  ) {
    throw new HttpError('unsupported-media-type', 'Send the body as application/json in UTF-8.');
  }
  requireIdentity(headers);
}

function requireIdentity(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new HttpError('unsupported-media-type', 'Send the body without a Content-Encoding.');
  }
}

/** Whether a handler waits for the rest of the body: nothing was done yet. Nobody else listens before there is an answer. */
export function isReadingBody(incoming: IncomingMessage): boolean {
  return incoming.listenerCount('data') > 0;
}

/**
 * Reads no further than the limits, its own and that of all bodies together, whatever `Content-Length` says and however the
 * body is cut into chunks.
 */
function readBytes(unread: UnreadBody, limits: BodyLimits): Promise<Buffer> {
  const { incoming } = unread;
  const budget = budgetOf(unread);
  if (Number(incoming.headers['content-length'] ?? 0) > limits.maxBytes) {
    return Promise.reject(tooLarge(limits.maxBytes));
  }
  return new Promise((resolve, reject) => {
    let body: Buffer = EMPTY;
    let bytes = 0;
    const timer = setTimeout(onTimeout, limits.deadlineAt - performance.now());

    function settle(): void {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
    }
    function fail(error: Error): void {
      settle();
      incoming.pause();
      reject(error);
    }
    function onData(chunk: Buffer): void {
      if (bytes + chunk.length > limits.maxBytes) {
        fail(tooLarge(limits.maxBytes));
        return;
      }
      if (!holdBytes(unread, budget, chunk.length)) {
        fail(new HttpError('overloaded', budget.detail));
        return;
      }
      body = bytes === 0 ? chunk : appended(body, bytes, chunk);
      bytes += chunk.length;
    }
    function onEnd(): void {
      settle();
      resolve(body.length === bytes ? body : body.subarray(0, bytes));
    }
    function onBroken(): void {
      fail(new HoldfastError('invalid-request', 'The body ended before it was complete.'));
    }
    function onTimeout(): void {
      fail(new HttpError('request-timeout', 'The body did not arrive within the time a request may take.'));
    }
    incoming.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

/**
 * The first `length` bytes of `body`, then the chunk: in `body` itself where it has room. A list of chunks would keep an object
 * of some 200 bytes for each, and a client may send one for every byte.
 */
function appended(body: Buffer, length: number, chunk: Buffer): Buffer {
  const needed = length + chunk.length;
  // A chunk that is the body so far has no room: nothing is ever written into what belongs to the socket.
  const room = body.length >= needed ? body : Buffer.allocUnsafe(Math.max(needed, 2 * length));
  if (room !== body) body.copy(room, 0, 0, length);
  chunk.copy(room, length);
  return room;
}

function tooLarge(maxBytes: number): HoldfastError {
  return new HoldfastError('value-too-large', `The body is larger than the ${maxBytes} bytes allowed here.`);
}
