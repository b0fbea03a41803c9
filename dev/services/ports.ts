import { connect, createServer } from 'node:net';

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Whether something accepts connections there within `timeoutMs`. */
export function canConnect(port: number, host: string, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** Whether a server could listen there now. Asks twice: some systems let two servers listen on one port. */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return !(await canConnect(port, host)) && (await canListen(port, host));
}

/**
 * A free port of the loopback address. Below the range that systems use for outgoing connections: a client that tries
 * to reconnect to a stopped server there could otherwise be given the server's port, and even connect to itself.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port found');
}

/** The preferred port when it is free, else any other. */
export async function portNear(preferred: number): Promise<number> {
  return (await isFree(preferred)) ? preferred : freePort();
}

/** Starts something on a free port; should another process snatch that port in between, again on another one. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return await start(port);
    } catch (error) {
      if (attempt === 3 || (await isFree(port))) throw error;
    }
  }
}
