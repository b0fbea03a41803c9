import { connect, type Socket } from 'node:net';

/** One keep-alive HTTP/1.1 connection that has at most one request in flight. */
export interface LoadConnection {
  /** When the request in flight was sent, or was due, on the process's monotonic clock, in ms. */
  startedAt: number;
  /** The number of the request in flight, and how much it writes. */
  n: number;
  writes: number;
  send(request: string): void;
  close(): void;
}

export interface ConnectionEvents {
  /** A whole answer has arrived: `text`, head and body as Latin-1. */
  answered(connection: LoadConnection, status: number, text: string): void;
  /** It was closed or broke, `busy`: with a request in flight. */
  broken(connection: LoadConnection, busy: boolean): void;
}

const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;

/** Whether the bytes so far, as Latin-1, are a whole answer. Bodies are not looked into. */
function isWholeAnswer(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return false;
  const head = text.slice(0, headEnd);
  const length = LENGTH.exec(head)?.[1];
  if (length !== undefined) return text.length >= headEnd + 4 + Number(length);
  return CHUNKED.test(head) ? text.endsWith('\r\n0\r\n\r\n') : true;
}

/**
 * Connects. Node's own HTTP client would use more of the machine than some of the servers under test, so this one knows
 * only what those answer. @throws Error where nobody listens.
 */
export function openConnection(port: number, events: ConnectionEvents): Promise<LoadConnection> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received = '';
    let busy = false;
    let closing = false;
    const connection: LoadConnection = {
      startedAt: 0,
      n: 0,
      writes: 0,
      send(request) {
        busy = true;
        socket.write(request, 'latin1');
      },
      close() {
        closing = true;
        socket.destroy();
      },
    };
    socket.setEncoding('latin1');
    socket.once('connect', () => resolve(connection));
    socket.once('error', reject);
    socket.on('data', (chunk: string) => {
      received = received === '' ? chunk : received + chunk;
      if (!isWholeAnswer(received)) return;
      const status = Number(received.slice(9, 12));
      const text = received;
      received = '';
      busy = false;
      events.answered(connection, status, text);
    });
    socket.once('close', () => {
      if (!closing) events.broken(connection, busy);
    });
  });
}
