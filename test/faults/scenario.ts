import type { Random } from '../../dev/random.ts';
import type { Bed, BedOptions } from './bed.ts';
import type { Call, Decision } from './history.ts';
import type { WorkloadOptions } from './workload-options.ts';

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
   * reads need not see what nobody but Redis knew. With `api` it is out of reach for that process alone.
   */
  redisAway<T>(work: () => Promise<T>, api?: number): Promise<T>;
  /** An operator was told what became of a write. */
  decided(decision: Decision): void;
  /** Something the checker cannot see is wrong. */
  complain(message: string): void;
}

export interface Scenario {
  readonly name: string;
  /** One sentence for the table. */
  readonly promises: string;
  readonly bed: BedOptions;
  /** About how long a run takes at half the scale, in seconds, where that is more than the usual. Rations `npm test`. */
  readonly seconds?: number;
  /** A run counts only if so many calls succeeded between `begin` and `end`. */
  readonly minimumDuring: number;
  readonly workload?: Pick<
    WorkloadOptions,
    'poison' | 'keepAlive' | 'longKeys' | 'bodyBytes' | 'deletions'
  > & {
    readonly clients?: number;
    readonly keysPerCollection?: number;
  };
  /** If given: the codes of the only failures that this scenario may have. Default: whatever docs/http.md has for outages. */
  readonly allowedFailures?: readonly string[];
  /** Before the first client starts. */
  prepare?(context: FaultContext): Promise<void>;
  /** Breaks something, waits, and makes it whole. */
  fault(context: FaultContext): Promise<void>;
  /** Looks at what is left when everything has drained. */
  afterwards?(context: FaultContext): Promise<void>;
}
