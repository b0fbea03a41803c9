import { count } from './format.ts';
import type { CorrectedDeadLetter, DiscardResult } from './wire.ts';

/** What a correction of a dead letter came to, and whether to press again. */
export function correctionInWords({
  resolved,
  state,
}: Pick<CorrectedDeadLetter, 'resolved' | 'state'>): string {
  if (!resolved) return `It is ${state}. Press again, with the same value, until it is resolved.`;
  if (state === 'persisted') return 'The corrected value is persisted.';
  return `It is ${state}, not persisted yet; the dead letter is given up for it. Press again, with the same value, to see what became of it.`;
}

/** What became of the writes that were to be discarded, and who does not know of it yet. */
export function discardInWords({ entries, cacheTold, workflowTold }: DiscardResult): string {
  const counts = new Map<string, number>();
  for (const { outcome } of entries) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const outcomes = [...counts].map(([outcome, number]) => `${count(number)} ${outcome}`).join(', ');
  const untold = [
    ...(cacheTold
      ? []
      : ['Redis could not be told: until the batch ends, readers may see what was discarded.']),
    ...(workflowTold ? [] : ['The workflow could not be told: until it ends, it counts them as pending.']),
  ];
  return untold.length === 0
    ? outcomes
    : [`${outcomes}.`, ...untold, 'Discard them again to tell.'].join(' ');
}
