import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const LOOKS_PER_LIMIT = 6;

/** Where the bytes of an answer stood when somebody last took some. */
interface Standstill {
  readonly taken: number;
  /** On the process's monotonic clock, in ms. */
  readonly since: number;
}

/**
 * Ends each connection whose client took nothing of an answer for `limitMs`, give or take a sixth. Node.js waits for ever, and a
 * page of a listing may have megabytes. A client that reads slowly may go on; one that owes us its next request, or waits for
 * its answer, is none of this: what it holds is no memory of answers, and has limits of its own.
 */
export function endUnread(server: Server, limitMs: number): void {
  const open = new Set<Socket>();
  const still = new Map<Socket, Standstill>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      still.delete(socket);
    });
  });
  // Looking at all of them now and then costs requests nothing, which a timer for each answer would.
  const look = setInterval(() => {
    const now = performance.now();
    for (const socket of open) {
      if (socket.writableLength === 0) {
        still.delete(socket);
        continue;
      }
      const taken = bytesTaken(socket);
      const before = still.get(socket);
      if (before?.taken !== taken) still.set(socket, { taken, since: now });
      else if (now - before.since >= limitMs) socket.destroy();
    }
  }, limitMs / LOOKS_PER_LIMIT);
  look.unref();
  server.once('close', () => clearInterval(look));
}

/**
 * What the kernel took so far. One large answer is one write: only the handle, which is what Node's own timeouts look at, knows
 * how much of it is left.
 */
function bytesTaken(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { bytesWritten: number; writeQueueSize: number } | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}
