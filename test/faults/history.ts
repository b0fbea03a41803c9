import type { Acknowledgement } from '../../domain/acknowledgement.ts';

export type Operation = 'read' | 'put' | 'delete' | 'increment';

/** `failed`: it certainly did not happen. `unknown`: it may have happened, now or a little later. */
export type Outcome = 'ok' | 'failed' | 'unknown';

/** A document's value is known by the token in it, which no other write has; a counter's is its number; `null` is absence. */
export type Value = string | number | null;

/** One HTTP call of a client. Times are milliseconds of one monotonic clock. */
export interface Call {
  readonly client: number;
  /** Which API process it was sent to. */
  readonly api: number;
  readonly operation: Operation;
  readonly collection: string;
  readonly key: string;
  /** What a put writes. */
  readonly token?: string;
  /** How long the body of a put was, where it was not short. */
  readonly bytes?: number;
  /** What an increment adds. */
  readonly by?: number;
  /** How often it was sent, each time with the same Idempotency-Key. Default: once, without one. */
  readonly sent?: number;
  /** Names the transaction that a put belongs to, where it is one of several: all of them happened, or none did. */
  readonly together?: string;
  /** The answer says that the process did without Redis. */
  readonly withoutRedis?: true;
  readonly condition?: { readonly ifVersion: number } | { readonly ifAbsent: true };
  readonly start: number;
  readonly end: number;
  readonly outcome: Outcome;
  /** The status and problem code, or the error of the connection. */
  readonly code: string;
  /** What the problem says, where it is one. */
  readonly detail?: string;
  /** Of the receipt, or of the value that was read. A read that found nothing has none. */
  readonly version?: number;
  readonly level?: Acknowledgement;
  /** What a read returned, or what an increment made of the counter. */
  readonly value?: Value;
}

/** While it lasted Redis may have lost everything that was not queued yet. */
export interface MemoryLoss {
  readonly from: number;
  readonly to: number;
}

/**
 * While it lasted no process could reach Redis; with `api`, that one alone. The others then may serve the previous value of
 * what it wrote around Redis, until the durable invalidation lands.
 */
export interface Absence {
  readonly from: number;
  readonly to: number;
  readonly api?: number;
}

/** What an operator was told about a write that was not persisted. */
export interface Decision {
  readonly collection: string;
  readonly key: string;
  readonly version: number;
  readonly decided: 'discarded' | 'retried';
  /** When the answer was there, on the clock of the calls. */
  readonly at: number;
}

/** A register's state in one place. */
export interface State {
  readonly version: number;
  readonly value: Value;
}

/** What is left of one entry after everything has drained. */
export interface FinalEntry {
  readonly collection: string;
  readonly key: string;
  /** `null`: no row. */
  readonly row: State | null;
  /** `null`: Redis holds no copy. */
  readonly cached: State | null;
  /** The batch that still holds it, where one does. */
  readonly pendingIn: string | null;
  /** What every API process answers to a read; no version where it found nothing. */
  readonly reads: readonly { readonly api: number; readonly version?: number; readonly value: Value }[];
  /** Versions that are set aside: PostgreSQL refused them, or an operator discarded them. */
  readonly deadLetters: readonly number[];
  /** A deletion at or below it may have no row any more. Default: 0. */
  readonly pruneFloor?: number;
}

export interface History {
  readonly calls: readonly Call[];
  /** Collections that must be linearizable, whatever was lost or away. Default: none. */
  readonly durable?: readonly string[];
  readonly losses: readonly MemoryLoss[];
  /** Meanwhile only what had been acknowledged as queued or persisted had to be visible. */
  readonly absences: readonly Absence[];
  readonly decisions: readonly Decision[];
  readonly final: readonly FinalEntry[];
}

export interface Violation {
  /** Stable, for counting. */
  readonly rule: string;
  readonly collection: string;
  readonly key: string;
  readonly message: string;
  /** The calls that show it. */
  readonly calls: readonly Call[];
}

const LONGEST_NAME = 80;

export function nameOf(entry: { readonly collection: string; readonly key: string }): string {
  return `${entry.collection}/${entry.key}`;
}

/** {@link nameOf} for people: a key may be long. */
export function shortNameOf(entry: { readonly collection: string; readonly key: string }): string {
  const name = nameOf(entry);
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
}

export function isWrite(call: Call): boolean {
  return call.operation !== 'read';
}

/** The calls in groups, each in its former order. */
export function groupBy(
  calls: readonly Call[],
  name: (call: Call) => string | undefined,
): ReadonlyMap<string, readonly Call[]> {
  const groups = new Map<string, Call[]>();
  for (const call of calls) {
    const group = name(call);
    if (group === undefined) continue;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [call]);
    else known.push(call);
  }
  return groups;
}
