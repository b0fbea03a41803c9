import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/** A cause that waiting cannot mend: wrong credentials, a missing namespace. The message is for whoever starts the process. */
export class StartError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StartError';
  }
}

export interface Dependency<T> {
  /** As people call it: "PostgreSQL". */
  readonly name: string;
  readonly attempt: () => Promise<T>;
  /** Why waiting is pointless, or `undefined` where it is not. */
  readonly hopeless: (error: unknown) => string | undefined;
  /** One short line, without secrets. */
  readonly describe: (error: unknown) => string;
}

/**
 * Tries until it works, with a growing pause up to ten seconds; one log line per failure. Services of one system start in
 * any order.
 * @throws StartError where waiting is pointless; the signal's reason when it aborts.
 */
export async function waitFor<T>(
  { name, attempt, hopeless, describe }: Dependency<T>,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<T> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      const reason = hopeless(error);
      if (reason !== undefined) throw new StartError(`${name}: ${reason}`, error);
      logger.warn({ reason: describe(error), retryInMs: wait }, `waiting for ${name}`);
      await sleep(wait, undefined, { signal });
    }
  }
}
