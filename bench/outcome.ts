import type { Measurement } from './measure-run.ts';
import type { ContenderId, Workload } from './names.ts';
import { type Spread, spread } from './statistics.ts';

/** What one round found out about one system in one scenario. */
export interface Outcome {
  readonly workload: Workload;
  readonly clients: number;
  readonly bytes: number;
  readonly id: ContenderId;
  /** What a table calls it. Not always the id: there may be several Holdfasts, with other settings. */
  readonly name: string;
  readonly round: number;
  readonly measurement: Measurement;
}

/** Figures by round, so that those of two systems are of the same moment. */
export type Series = readonly (number | undefined)[];

/** In the order of the rounds; a round that a system has not leaves a gap. */
export function series(
  outcomes: readonly Outcome[],
  figure: (measurement: Measurement) => number | undefined,
): Series {
  const rounds: (number | undefined)[] = [];
  for (const { round, measurement } of outcomes) rounds[round] = figure(measurement);
  return Array.from(rounds);
}

export function summedUp(values: Series): Spread | undefined {
  return spread(values.filter((value) => value !== undefined));
}
