import type { Logger } from 'pino';
import { epochNumber } from '../domain/epoch.ts';
import type { PartitionFigures, SharedFigures } from '../telemetry/metrics.ts';
import { beforeDeadline } from './deadline.ts';
import type { DependencyHealth } from './holdfast.ts';
import type { PartitionSummary, Summary } from './operations/summary-types.ts';

/** What does not answer within this is left out: a dependency that hangs must not hang whoever asks, in ms. */
const PATIENCE_MS = 2_000;

/** What all processes share, for metrics. Everything is asked at once. Never fails. */
export function createFigures(deps: {
  readonly health: () => Promise<readonly DependencyHealth[]>;
  readonly summary: () => Promise<Summary>;
  readonly log: Logger;
}): () => Promise<SharedFigures> {
  async function inTime<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await beforeDeadline(ask(), performance.now() + PATIENCE_MS);
    } catch (error) {
      deps.log.debug({ err: error }, 'a figure for the metrics could not be learnt');
      return undefined;
    }
  }

  return async () => {
    const [dependencies = [], summary] = await Promise.all([inTime(deps.health), inTime(deps.summary)]);
    const deadLetters = summary?.deadLetters?.dead;
    const draining = summary?.draining;
    return {
      // No dependency: whether operators find batches in Temporal is for readiness to say, and wakes nobody.
      dependencies: dependencies.filter(({ dependency }) => dependency !== 'search-attributes'),
      partitions: summary?.partitions.flatMap(figuresOf) ?? [],
      ...(deadLetters === undefined ? {} : { deadLetters }),
      ...(typeof draining === 'boolean' ? { draining } : {}),
    };
  };
}

/** None where Redis could not say: a figure that is not known is left out, and an alert says so. */
function figuresOf(one: PartitionSummary): PartitionFigures[] {
  const { partition, epoch, pendingEntries, stagedEntries, slots, slotsInUse, batches } = one;
  if (epoch === null || pendingEntries === null || stagedEntries === null || slotsInUse === null) return [];
  return [
    {
      ...{ partition, epoch: epochNumber(epoch), pendingEntries, stagedEntries, slots, slotsInUse },
      batches: { ...batches },
      oldestSeconds: one.oldestAgeSeconds ?? 0,
    },
  ];
}
