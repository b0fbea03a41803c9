import { satisfies } from '../../domain/acknowledgement.ts';
import {
  type Call,
  type Decision,
  type FinalEntry,
  type History,
  isWrite,
  nameOf,
  type Violation,
} from './history.ts';

/** A write that was acknowledged. */
export type Acknowledged = Call & { readonly version: number };

/** Who may miss something: a call, or as much of it as matters for that. */
export type Reader = Pick<Call, 'api' | 'start' | 'end'>;

/**
 * How soon after a write around Redis its durable invalidation has landed where Redis, Temporal and a worker are well, in ms:
 * the commit's deadline and the tolerated clock difference of the bench, and seconds for a busy machine: a process without
 * Redis looks into every slot at each read.
 */
export const INVALIDATED_WITHIN_MS = 10_000;

/** All that is known of one entry, and what of it must last. */
export interface EntryHistory {
  /** In order of their start. */
  readonly calls: readonly Call[];
  readonly final: FinalEntry;
  /** In order of their versions. */
  readonly acknowledged: readonly Acknowledged[];
  readonly byVersion: ReadonlyMap<number, Acknowledged>;
  readonly byToken: ReadonlyMap<string, Call>;
  readonly unknown: readonly Call[];
  readonly decisions: readonly Decision[];
  /** Whether what a call that started at `start` wrote or saw as `version` must still be there at `at`. */
  lasts(version: number, start: number, at: number): boolean;
  /** Whether a read may miss `version`: because only Redis knew it and could not be asked, or as {@link wroteUnseen}. */
  mayBeHidden(version: number, reader: Reader): boolean;
  /**
   * Whether `version` was written around Redis by the one process that was cut off from it, and others need not have
   * heard of that yet.
   */
  wroteUnseen(version: number, reader: Reader): boolean;
  violation(rule: string, message: string, calls?: readonly Call[]): Violation;
}

/** Puts the calls of one entry in order. */
export function entryHistory(
  calls: readonly Call[],
  { losses, absences, ...history }: Pick<History, 'losses' | 'absences' | 'decisions'>,
  final: FinalEntry,
): EntryHistory {
  const sorted = [...calls].sort((a, b) => a.start - b.start);
  const writes = sorted.filter(isWrite);
  const acknowledged = writes
    .filter((call): call is Acknowledged => call.outcome === 'ok' && call.version !== undefined)
    .sort((a, b) => a.version - b.version);
  const byVersion = new Map(acknowledged.map((call) => [call.version, call]));
  const byToken = new Map(writes.flatMap((call) => (call.token === undefined ? [] : [[call.token, call]])));

  const decisions = history.decisions.filter((decision) => nameOf(decision) === nameOf(final));
  // A mutation that is set aside takes along what it had replaced in its batch, however long that one gathered: of an
  // entry with a dead letter, only what was committed before is sure to last. One that was retried was away for a while.
  const lastDeadLetter = Math.max(0, ...final.deadLetters, ...decisions.map(({ version }) => version));
  const setAside = (version: number) =>
    version <= lastDeadLetter && byVersion.get(version)?.level !== 'persisted';
  const durable = (version: number) => {
    const level = byVersion.get(version)?.level;
    return level !== undefined && satisfies(level, 'queued');
  };
  const wroteUnseen = (version: number, { api, start, end }: Reader) =>
    version % 2 === 1 &&
    absences.some(
      (absence) =>
        absence.api !== undefined &&
        absence.api !== api &&
        writes.some(
          (write) =>
            write.api === absence.api &&
            (write.version === version || write.outcome === 'unknown') &&
            write.start <= absence.to &&
            write.end >= absence.from &&
            write.start <= end &&
            write.end + INVALIDATED_WITHIN_MS >= start,
        ),
    );
  const withoutRedis = ({ api, start, end }: Reader) =>
    absences.some(
      (absence) =>
        (absence.api === undefined || absence.api === api) && absence.to >= start && absence.from <= end,
    );
  return {
    calls: sorted,
    final,
    acknowledged,
    byVersion,
    byToken,
    unknown: writes.filter((call) => call.outcome === 'unknown'),
    decisions,
    lasts: (version, start, at) =>
      !setAside(version) && (durable(version) || !losses.some((loss) => loss.to >= start && loss.from <= at)),
    mayBeHidden(version, reader) {
      if (wroteUnseen(version, reader)) return true;
      if (!withoutRedis(reader)) return false;
      return !(durable(version) && (byVersion.get(version)?.end ?? reader.end) < reader.start);
    },
    wroteUnseen,
    violation: (rule, message, shown = []) => ({
      rule,
      collection: final.collection,
      key: final.key,
      message,
      calls: shown,
    }),
  };
}
