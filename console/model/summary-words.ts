import { count, counted, duration } from './format.ts';
import type { PartitionSummary, Summary } from './wire.ts';

/** How many entries wait, and for how long, without the full stop. */
export function waitingInWords({
  pendingEntries,
  oldestAgeSeconds,
}: Pick<Summary, 'pendingEntries' | 'oldestAgeSeconds'>): string {
  const waiting =
    pendingEntries === null
      ? 'Nobody knows how many entries wait'
      : `${counted(pendingEntries, 'entry', 'entries')} ${pendingEntries === 1 ? 'waits' : 'wait'}`;
  return oldestAgeSeconds === null ? waiting : `${waiting}, the oldest for ${duration(oldestAgeSeconds)}`;
}

/** How long the oldest write has waited. Where Redis did not say what waits, no age does not mean that nothing does. */
export function oldestInWords({
  pendingEntries,
  oldestAgeSeconds,
}: Pick<PartitionSummary, 'pendingEntries' | 'oldestAgeSeconds'>): string {
  return oldestAgeSeconds === null && pendingEntries !== null ? 'none' : duration(oldestAgeSeconds);
}

/** What did not answer, and why; empty where all did. */
export function unknownInWords(unknown: Summary['unknown']): string {
  return unknown.map(({ dependency, problem }) => `${dependency}: ${problem}`).join('; ');
}

/** The states of batches in words, those that there are; `none` where there are none. */
export function batchesInWords(batches: Summary['batches']): string {
  const some = Object.entries(batches).filter(([, number]) => number > 0);
  return some.length === 0 ? 'none' : some.map(([state, number]) => `${count(number)} ${state}`).join(', ');
}
