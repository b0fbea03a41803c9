import { Agent, request } from 'node:http';

export interface LoadResult {
  /** Keys whose write was acknowledged. */
  readonly acknowledged: readonly string[];
  /** How calls failed, but for new connections that were refused: a status, or the code of the error. */
  readonly failures: readonly string[];
  /** When the first connection was refused (`performance.now()`). */
  readonly refusedAt: number | undefined;
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
      call.on('error', reject);
      call.on('response', (response) => {
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
      try {
        await put(`k${count++}`, agent);
      } catch (error) {
        const code = String((error as NodeJS.ErrnoException).code ?? error);
        if (code !== 'ECONNREFUSED') failures.push(code);
        else refusedAt ??= performance.now();
        break;
      }
    }
    agent.destroy();
  }

  const all = Promise.all(Array.from({ length: clients }, (_, i) => client(i % 2 === 0)));
  return {
    done: all.then(() => ({ acknowledged, failures, refusedAt })),
    stop() {
      stopped = true;
    },
  };
}
