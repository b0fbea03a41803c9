import type { Bed, BedOptions } from './bed.ts';
import type { Call } from './history.ts';
import type { Random } from './random.ts';

/** What a scenario is given to place its fault. */
export interface FaultContext {
  readonly bed: Bed;
  readonly random: Random;
  /** What the keys of this run begin with. */
  readonly prefix: string;
  /** Calls that have ended so far. */
  readonly calls: readonly Call[];
  /** A length drawn by the seed, in ms, times the scale of the session. Waits that long. */
  pause(minMs: number, maxMs: number): Promise<void>;
  /** The fault has really happened: the outage begins. */
  begin(): void;
  /** What was broken is whole again: the outage ends. */
  end(): void;
  /** Runs what makes Redis forget writes that were not queued yet. */
  losingMemory<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Runs what puts Redis out of reach for a while. That is over when every API process has used it again: until then
   * reads need not see what nobody but Redis knew.
   */
  redisAway<T>(work: () => Promise<T>): Promise<T>;
  /** Something the checker cannot see is wrong. */
  complain(message: string): void;
}

export interface Scenario {
  readonly name: string;
  /** One sentence for the table. */
  readonly promises: string;
  readonly bed: BedOptions;
  /** A run counts only if so many calls succeeded between `begin` and `end`. */
  readonly minimumDuring: number;
  readonly workload?: { readonly poison?: number; readonly keepAlive?: boolean; readonly clients?: number };
  /** Codes of failures that this scenario may not have although the checker could live with them. */
  readonly allowedFailures?: readonly string[];
  /** Before the first client starts. */
  prepare?(context: FaultContext): Promise<void>;
  /** Breaks something, waits, and makes it whole. */
  fault(context: FaultContext): Promise<void>;
  /** Looks at what is left when everything has drained. */
  afterwards?(context: FaultContext): Promise<void>;
}
