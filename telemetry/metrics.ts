/**
 * What the parts of Holdfast tell of themselves. They say what happened, in their own words; how it is counted is decided
 * here in `telemetry/`. Called on hot paths: nothing of this waits, throws, or takes a key or a value of a user.
 */

/** What one attempt to carry a batch into PostgreSQL came to. */
export interface PersistReport {
  /** `direct`: by an API process, since Temporal was out of reach. */
  readonly via: 'workflow' | 'direct';
  readonly outcome: 'persisted' | 'refused' | 'failed';
  /** Of a failure: the class of its SQLSTATE (`08`), else `unreachable`, `cancelled` or `unexpected`. */
  readonly errorClass?: string;
  /** Classes of the SQLSTATEs for which single writes were put into the dead letters, one for each. */
  readonly deadLetters: readonly string[];
  /** The attempt alone. */
  readonly seconds: number;
  /** From the oldest write of the batch to now. */
  readonly ageSeconds: number;
}

/** For whoever carries batches into PostgreSQL. */
export interface PersistMetrics {
  persisted(report: PersistReport): void;
}

/** Where the value of a read came from. `degraded`: without Redis, so writes that are only `cached` were not seen. */
export type ReadOutcome = 'hit' | 'miss' | 'merged' | 'degraded';

/** What another process left behind and this one saw to: a batch, a release, a workflow that was ended by hand. */
export type Rescue = 'batch-adopted' | 'release-redone' | 'workflow-restarted';

/** For whoever looks after what others left behind. */
export interface RescueMetrics {
  rescued(what: Rescue): void;
}

/** For the use cases. */
export interface ServiceMetrics extends PersistMetrics, RescueMetrics {
  read(collection: string, outcome: ReadOutcome): void;
  /** Temporal has accepted a batch; `seconds` after its oldest write. */
  queued(batch: { readonly entries: number; readonly bytes: number; readonly seconds: number }): void;
  /** This process has brought a partition back, with a new epoch. */
  recovered(partition: number): void;
  /** An entry was written to PostgreSQL past a Redis that is out of reach. */
  wroteAroundRedis(): void;
}

/** Tells of one answer of a route. `problem`: the code, where it is one. */
export type RequestMeter = (status: number, seconds: number, problem: string | undefined) => void;

/** For HTTP. */
export interface HttpMetrics {
  /** Made once for each route, by its template (`/v1/collections/{collection}/entries/{key}`). */
  route(method: string, template: string): RequestMeter;
  /** A problem that is part of an answer, by its code. */
  problem(code: string): void;
  /** All metrics of the process, in the text format of Prometheus. Never fails, and takes two seconds at most. */
  scrape(): Promise<string>;
}

/** For activities. */
export interface WorkerMetrics extends PersistMetrics, RescueMetrics {
  /** An attempt to tell Redis that a batch is settled failed; it is repeated. */
  releaseFailed(): void;
}

/** What all processes share, as one of them sees it now. What could not be learnt in time is left out. */
export interface SharedFigures {
  readonly dependencies: readonly { readonly dependency: string; readonly ok: boolean }[];
  readonly partitions: readonly PartitionFigures[];
  /** Whether an operator lets the queue empty, so that write-behind writes are refused. */
  readonly draining?: boolean;
  /** Writes that PostgreSQL refused and nobody has decided on. */
  readonly deadLetters?: number;
}

export interface PartitionFigures {
  readonly partition: number;
  /** The number of its epoch: it grows when Redis lost its memory. */
  readonly epoch: number;
  /** Entries with a write that is not in PostgreSQL. */
  readonly pendingEntries: number;
  /** Of them, those that Temporal does not have yet. */
  readonly stagedEntries: number;
  /** Open batches by state. */
  readonly batches: Readonly<Record<string, number>>;
  /** 0 where nothing is pending. */
  readonly oldestSeconds: number;
  readonly slots: number;
  readonly slotsInUse: number;
}
