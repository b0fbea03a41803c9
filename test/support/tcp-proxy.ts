import { connect, createServer, type Socket } from 'node:net';

/** `request`: from the client to the server. `answer`: the way back. */
export type Direction = 'request' | 'answer';

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** Connections that clients have open through the proxy. */
  connections(): number;
  /** Resets all connections. What the server has received it still executes. */
  cut(): void;
  /**
   * Resets all connections when the next bytes (for which `matches` holds) arrive from that side, instead of passing them
   * on. On `answer` the server has executed the request and the client will never know.
   * @returns a promise of the moment it has happened.
   */
  cutOn(direction: Direction, matches?: (bytes: Buffer) => boolean): Promise<void>;
  /** A network that has gone dead: bytes stop moving, in one direction or both, and connections stay open. */
  hold(direction?: Direction): void;
  /** Bytes move again, those that were held first: requests of clients that gave up long ago arrive now. */
  forward(): void;
  /** Delays bytes by so many milliseconds in each direction; 0 ends it. */
  delay(ms: number): void;
  /** Resets all connections and refuses new ones (`true`), or takes new ones again. */
  refuse(refused: boolean): void;
  /** Ends it. */
  close(): Promise<void>;
}

interface Pipe {
  readonly direction: Direction;
  readonly to: Socket;
  /** In order; `null` is the end of the stream. */
  readonly queue: { readonly due: number; readonly bytes: Buffer | null }[];
  timer: NodeJS.Timeout | undefined;
}

/** Stands between a client and a server on this machine and does to their bytes what networks do. */
export async function startTcpProxy(target: {
  readonly port: number;
  readonly host?: string;
}): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const pipes = new Set<Pipe>();
  const held = new Set<Direction>();
  let delayMs = 0;
  let refused = false;
  let trap: { direction: Direction; matches: (bytes: Buffer) => boolean; sprung: () => void } | undefined;

  function cut(): void {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  function pump(pipe: Pipe): void {
    clearTimeout(pipe.timer);
    pipe.timer = undefined;
    for (let next = pipe.queue[0]; next !== undefined && !held.has(pipe.direction); next = pipe.queue[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        pipe.timer = setTimeout(pump, wait, pipe);
        return;
      }
      pipe.queue.shift();
      if (pipe.to.destroyed) continue;
      if (next.bytes === null) pipe.to.end();
      else pipe.to.write(next.bytes);
    }
  }

  function pass(pipe: Pipe, bytes: Buffer | null): void {
    if (bytes !== null && trap?.direction === pipe.direction && trap.matches(bytes)) {
      const { sprung } = trap;
      trap = undefined;
      cut();
      sprung();
      return;
    }
    pipe.queue.push({ due: performance.now() + delayMs, bytes });
    pump(pipe);
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (refused) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({
      port: target.port,
      host: target.host ?? '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [from, to, direction] of [
      [client, upstream, 'request'],
      [upstream, client, 'answer'],
    ] as const) {
      const pipe: Pipe = { direction, to, queue: [], timer: undefined };
      pipes.add(pipe);
      from.on('data', (bytes) => pass(pipe, bytes));
      from.on('end', () => pass(pipe, null));
      from.on('error', () => to.resetAndDestroy());
      from.on('close', () => {
        if (from.errored || !from.readableEnded) to.destroy();
        if (from.destroyed && to.destroyed) pairs.delete(pair);
      });
      to.on('close', () => {
        clearTimeout(pipe.timer);
        pipes.delete(pipe);
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  return {
    host: '127.0.0.1',
    port: address.port,
    connections: () => pairs.size,
    cut,
    cutOn: (direction, matches = () => true) =>
      new Promise((resolve) => {
        trap = { direction, matches, sprung: resolve };
      }),
    hold(direction) {
      for (const one of direction === undefined ? (['request', 'answer'] as const) : [direction])
        held.add(one);
    },
    forward() {
      held.clear();
      for (const pipe of pipes) pump(pipe);
    },
    delay(ms) {
      delayMs = ms;
    },
    refuse(now) {
      refused = now;
      if (refused) cut();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}
