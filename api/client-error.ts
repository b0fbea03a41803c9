import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isReadingBody } from './body.ts';
import { problemMessage } from './problem.ts';

/** What was not HTTP, or too much of it, gets a problem too: for the server's `clientError`. */
export function answerClientError(maxHeaderBytes: number) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (!socket.writable || error.code === 'ECONNRESET' || isAnswering(socket)) {
      socket.destroy();
    } else if (error.code === 'HPE_HEADER_OVERFLOW') {
      socket.end(problemMessage(431, `The headers are larger than ${maxHeaderBytes} bytes.`));
    } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      socket.end(problemMessage(408, 'The request did not arrive in time.'));
    } else {
      socket.end(problemMessage(400, 'This is not HTTP as RFC 9112 has it.'));
    }
  };
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
