import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LoadRequest, LoadResult } from './load-messages.ts';

/** The load generator, in a process of its own so that it shares no event loop with anything it measures. */
export interface LoadProcess {
  /** @throws Error where the generator could not connect, or died. */
  run(request: LoadRequest): Promise<LoadResult>;
  stop(): void;
}

export function startLoadProcess(): LoadProcess {
  const child = fork(join(import.meta.dirname, 'load.js'), { execArgv: [] });
  const died = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the load generator ended (${signal ?? `exit code ${code}`})`);
  });
  died.catch(() => {});
  return {
    async run(request) {
      child.send(request);
      const [answer] = (await Promise.race([once(child, 'message'), died])) as [
        LoadResult | { failed: string },
      ];
      if ('failed' in answer) throw new Error(`load generator: ${answer.failed}`);
      return answer;
    },
    stop() {
      if (child.connected) child.disconnect();
    },
  };
}
