import type { Logger } from 'pino';
import type { PartitionFigures, SharedFigures } from '../telemetry/metrics.ts';
import { beforeDeadline } from './deadline.ts';
import type { DependencyHealth } from './holdfast.ts';

/** What does not answer within this is left out: a dependency that hangs must not hang whoever asks, in ms. */
const PATIENCE_MS = 2_000;

/** What all processes share, for metrics. Everything is asked at once. Never fails. */
export function createFigures(deps: {
  readonly health: () => Promise<readonly DependencyHealth[]>;
  readonly partitions: () => Promise<readonly PartitionFigures[]>;
  readonly deadLetters: () => Promise<number>;
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
    const [dependencies = [], partitions = [], deadLetters] = await Promise.all([
      inTime(deps.health),
      inTime(deps.partitions),
      inTime(deps.deadLetters),
    ]);
    return { dependencies, partitions, ...(deadLetters === undefined ? {} : { deadLetters }) };
  };
}
