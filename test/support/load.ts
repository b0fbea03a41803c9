import { Agent, request } from 'node:http';

export interface LoadResult {
  /** Keys whose write was acknowledged. */
  readonly acknowledged: readonly string[];
  /** How calls failed, but for new connections that were refused: a status, or the code of the error. */
  readonly failures: readonly string[];
  /** When the first connection was refused (`performance.now()`). */
  readonly refusedAt: number | undefined;
  /**
   * New connections that were reset before anything was answered. Where a process stops to listen, the kernel does that with
   * those it has taken and the process has not: to their clients it is a refusal, only later.
   */
  readonly resets: readonly { readonly key: string; readonly at: number }[];
}

/**
 * Clients that write one entry after the other, half of them on connections they keep, until they are refused or `stop` is
 * called; `done` resolves then.
 */
export function startLoad(
  entries: string,
  clients: number,
): { readonly done: Promise<LoadResult>; stop(): void } {
  const acknowledged: string[] = [];
  const failures: string[] = [];
  const resets: { key: string; at: number }[] = [];
  let refusedAt: number | undefined;
  let stopped = false;
  let count = 0;

  const put = (key: string, agent: Agent | undefined) =>
    new Promise<void>((resolve, reject) => {
      const call = request(`${entries}/${key}`, {
        method: 'PUT',
        agent,
        headers: { 'content-type': 'application/json' },
      });
      call.on('error', (error) => reject(Object.assign(error, { isNew: !call.reusedSocket && !answered })));
      let answered = false;
      call.on('response', (response) => {
        answered = true;
        response.on('error', reject).resume();
        response.on('end', () => {
          if ([200, 201, 202].includes(response.statusCode ?? 0)) acknowledged.push(key);
          else failures.push(String(response.statusCode));
          resolve();
        });
      });
      call.end('1');
    });

  async function client(keepAlive: boolean): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    while (!stopped) {
      const key = `k${count++}`;
      try {
        await put(key, agent);
      } catch (error) {
        const { code, isNew } = error as NodeJS.ErrnoException & { readonly isNew?: boolean };
        if (code === 'ECONNREFUSED') refusedAt ??= performance.now();
        else if (code === 'ECONNRESET' && isNew === true) resets.push({ key, at: performance.now() });
        else failures.push(String(code ?? error));
        break;
      }
    }
    agent.destroy();
  }

  const all = Promise.all(Array.from({ length: clients }, (_, i) => client(i % 2 === 0)));
  return {
    done: all.then(() => ({ acknowledged, failures, refusedAt, resets })),
    stop() {
      stopped = true;
    },
  };
}
