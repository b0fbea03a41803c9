import { type Epoch, epochNumber, isForeign } from '../domain/epoch.ts';
import type { Version } from '../domain/version.ts';
import { lowestEpochNumbers } from '../storage/postgres/topology.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import { requireOwn } from './own-redis.ts';
import { shareNext } from './share-next.ts';

/** One question is about all partitions. */
const ALL = 0;
/** On average, while PostgreSQL does not answer. */
const RETRY_MS = 1_000;

/** What this process knows of a partition. */
export interface PartitionState {
  /** The epoch that was found last; `undefined` where another one must be looked for. */
  epoch: Epoch | undefined;
  /** When the connection to Redis on which it was found was made (`performance.now()`, ms). */
  connectedAt: number;
  /** The number of the latest epoch seen: an earlier one in Redis means an old snapshot, or another, older Redis. */
  highest: number;
  seenVersion: Version;
  finding: Promise<Epoch | undefined> | undefined;
}

export interface KnownEpochs {
  stateOf(partition: number): PartitionState;
  /** The epoch of a partition, found on this connection to Redis: behind a new one there may be another, or an older, Redis. */
  current(state: PartitionState): Epoch | undefined;
  /**
   * Takes an epoch for the current one unless a later one is known; answers the current one.
   * @throws ForeignRedis where it is another installation's.
   */
  accept(state: PartitionState, epoch: Epoch | undefined, connectedAt: number): Epoch | undefined;
  /** Notes that there is such an epoch: earlier ones are over, in use or not. */
  note(state: PartitionState, number: number): void;
  /** Asks PostgreSQL which epochs there were, of all partitions. @throws its errors. */
  learn(): Promise<void>;
  /** The same, waited for so long. What PostgreSQL answers later counts as well; where it does not, it is asked again. */
  learnWithin(ms: number): Promise<void>;
}

export function createKnownEpochs(ctx: Context): KnownEpochs {
  const partitions: PartitionState[] = [];
  const stateOf = (partition: number): PartitionState => {
    const known = partitions[partition];
    if (known !== undefined) return known;
    const fresh: PartitionState = {
      epoch: undefined,
      connectedAt: Number.NEGATIVE_INFINITY,
      highest: 0,
      seenVersion: 0,
      finding: undefined,
    };
    partitions[partition] = fresh;
    return fresh;
  };

  function note(state: PartitionState, number: number): void {
    state.highest = Math.max(state.highest, number);
    if (state.epoch !== undefined && epochNumber(state.epoch) < state.highest) state.epoch = undefined;
  }

  // At a start, and when Redis lost its memory, every partition asks at about the same time.
  const learnAll = shareNext(async () => {
    const [lowest, installation] = await Promise.all([lowestEpochNumbers(ctx.db), ctx.installation()]);
    for (const { partition, number } of lowest) {
      const state = stateOf(partition);
      note(state, number);
      // Taken while PostgreSQL had not said yet whose it is.
      if (state.epoch !== undefined && isForeign(state.epoch, installation)) state.epoch = undefined;
    }
  });

  let asksAgain = false;
  function learnLater(): void {
    if (asksAgain) return;
    asksAgain = true;
    const ask = () => {
      asksAgain = false;
      learnAll(ALL).catch(learnLater);
    };
    setTimeout(ask, RETRY_MS * (0.5 + Math.random())).unref();
  }

  return {
    stateOf,
    current: ({ epoch, connectedAt }) => (connectedAt === ctx.redis.reconnectedAt() ? epoch : undefined),
    accept(state, epoch, connectedAt) {
      if (epoch !== undefined) requireOwn(ctx, epoch);
      const valid = epoch !== undefined && epochNumber(epoch) >= state.highest;
      if (valid) state.highest = epochNumber(epoch);
      state.epoch = valid ? epoch : undefined;
      state.connectedAt = connectedAt;
      return state.epoch;
    },
    note,
    learn: () => learnAll(ALL),
    async learnWithin(ms) {
      const asked = learnAll(ALL);
      asked.catch(learnLater);
      await beforeDeadline(asked, performance.now() + ms).catch(() => {});
    },
  };
}
