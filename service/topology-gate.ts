import { setTimeout as sleep } from 'node:timers/promises';
import { SettingsError } from '../config/problem.ts';
import { HoldfastError } from '../domain/errors.ts';
import { describeError, sqlState } from '../storage/postgres/errors.ts';
import { recordTopology } from '../storage/postgres/topology.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';

/** On average; spread, so that processes that wait for the same server do not come all at once. */
const RETRY_MS = 1_000;

/**
 * Keeps everything that needs partitions and slots from happening before PARTITIONS and SLOTS are known to be what the data
 * in PostgreSQL were written under: other numbers would look for pending writes in the wrong place.
 */
export interface TopologyGate {
  /** Why the gate is shut, for operators; `undefined` once it is open, which it then stays. */
  problem(): string | undefined;
  /**
   * Waits for the first look only, so that a start with everything well refuses nobody.
   * @throws HoldfastError `dependency-unavailable` (postgres) while the gate is shut, `deadline-exceeded`.
   */
  pass(deadlineAt: number): Promise<void>;
  /** Ends the attempts. */
  stop(): void;
}

/**
 * Tries to compare the topology until PostgreSQL answers. `onOpen` is called once it agrees, `onFatal` where it does not,
 * or where waiting is pointless.
 */
export function createTopologyGate(
  ctx: Context,
  {
    beforeOpen,
    onOpen,
    onFatal,
  }: {
    /** What else the process must learn from PostgreSQL first; may throw its errors. */
    readonly beforeOpen: () => Promise<void>;
    readonly onOpen: () => void;
    readonly onFatal: (error: SettingsError) => void;
  },
): TopologyGate {
  const { PARTITIONS: partitions, SLOTS: slots, TEMPORAL_NAMESPACE: namespace } = ctx.environment;
  const stopping = new AbortController();
  let problem: string | undefined = 'PostgreSQL has not answered yet';

  async function attempt(): Promise<void> {
    try {
      await recordTopology(ctx.db, { partitions, slots, namespace });
      await beforeOpen();
      problem = undefined;
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (error instanceof SettingsError) return onFatal(error);
      const found = describe(error);
      if (sqlState(error)?.startsWith('28')) {
        return onFatal(new SettingsError([`DATABASE_URL: wrong user or password: ${found}`]));
      }
      if (found !== problem) ctx.log.warn(`waiting for PostgreSQL, nothing is served until then: ${found}`);
      problem = found;
    }
  }

  async function untilOpen(): Promise<void> {
    await first;
    while (problem !== undefined) {
      await sleep(RETRY_MS * (0.5 + Math.random()), undefined, { signal: stopping.signal, ref: false });
      await attempt();
    }
    if (!stopping.signal.aborted) onOpen();
  }

  const first = attempt();
  untilOpen().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });

  return {
    problem: () => problem,
    async pass(deadlineAt) {
      if (problem !== undefined) await beforeDeadline(first, deadlineAt);
      if (problem === undefined) return;
      throw new HoldfastError(
        'dependency-unavailable',
        `PostgreSQL could not be reached since this process started (${problem}), so it does not know yet how the data are laid out. This request did nothing. Try again later.`,
        { dependency: 'postgres', retryAfterSeconds: 1 },
      );
    },
    stop: () => stopping.abort(),
  };
}

function describe(error: unknown): string {
  return ['3D000', '42P01'].includes(sqlState(error) ?? '')
    ? 'the database has no tables yet: npm run migrate'
    : describeError(error);
}
