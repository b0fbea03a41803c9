import { type Epoch, epochNumber } from '../domain/epoch.ts';
import type { Version } from '../domain/version.ts';
import { lowestEpochNumbers } from '../storage/postgres/topology.ts';
import type { Context } from './context.ts';
import { shareNext } from './share-next.ts';

/** One question is about all partitions. */
const ALL = 0;

/** What this process knows of a partition. */
export interface PartitionState {
  /** The current epoch; `undefined` where it must be looked for. */
  epoch: Epoch | undefined;
  /** The number of the latest epoch seen: an earlier one in Redis means an old snapshot, or another, older Redis. */
  highest: number;
  seenVersion: Version;
  finding: Promise<Epoch | undefined> | undefined;
}

export interface KnownEpochs {
  stateOf(partition: number): PartitionState;
  /** Takes an epoch for the current one unless a later one is known; answers the current one. */
  accept(state: PartitionState, epoch: Epoch | undefined): Epoch | undefined;
  /** Asks PostgreSQL which epochs there were, of all partitions. @throws its errors. */
  learn(): Promise<void>;
}

export function createKnownEpochs(ctx: Context): KnownEpochs {
  const partitions: PartitionState[] = [];
  const stateOf = (partition: number): PartitionState => {
    const known = partitions[partition];
    if (known !== undefined) return known;
    const fresh: PartitionState = { epoch: undefined, highest: 0, seenVersion: 0, finding: undefined };
    partitions[partition] = fresh;
    return fresh;
  };
  // At a start, and when Redis lost its memory, every partition asks at about the same time.
  const learnAll = shareNext(async () => {
    for (const { partition, number } of await lowestEpochNumbers(ctx.db)) {
      const state = stateOf(partition);
      state.highest = Math.max(state.highest, number);
    }
  });
  return {
    stateOf,
    accept(state, epoch) {
      const valid = epoch !== undefined && epochNumber(epoch) >= state.highest;
      if (valid) state.highest = epochNumber(epoch);
      state.epoch = valid ? epoch : undefined;
      return state.epoch;
    },
    learn: () => learnAll(ALL),
  };
}
