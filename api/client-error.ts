import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isReadingBody } from './body.ts';
import { problemMessage } from './problem.ts';

const LINGER_MS = 1_000;

/** What was not HTTP, or too much of it, gets a problem too: for the server's `clientError`. */
export function answerClientError(maxHeaderBytes: number) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
      socket.destroy();
    } else if (error.code === 'HPE_HEADER_OVERFLOW') {
      endWith(socket, problemMessage(431, `The headers are larger than ${maxHeaderBytes} bytes.`));
    } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      endWith(socket, problemMessage(408, 'The request did not arrive in time.'));
    } else {
      endWith(socket, problemMessage(400, 'This is not HTTP as RFC 9112 has it.'));
    }
  };
}

/** A connection that is reset may lose what its client has not read, so it stays a moment; but it ends, whatever the client does. */
function endWith(socket: Socket, message: string): void {
  socket.end(message);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

/**
 * Whether a request on this socket is being worked on, or the rest of its answer is on its way. A problem would be read as
 * the answer to it, which may be a write that happens. One whose handler still waits for the body is not: it will fail. A
 * handler that reads no body began as soon as the headers were there, complete or not.
 */
function isAnswering(socket: Socket): boolean {
  const { _httpMessage: message } = socket as { _httpMessage?: ServerResponse };
  if (message === undefined || message === null) return false;
  return message.headersSent || message.req.complete || !isReadingBody(message.req);
}
