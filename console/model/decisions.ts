import type { CorrectedDeadLetter } from './wire.ts';

/** What a correction of a dead letter came to, and whether to press again. */
export function correctionInWords({
  resolved,
  state,
}: Pick<CorrectedDeadLetter, 'resolved' | 'state'>): string {
  if (!resolved) return `It is ${state}. Press again, with the same value, until it is resolved.`;
  if (state === 'persisted') return 'The corrected value is persisted.';
  return `It is ${state}, not persisted yet; the dead letter is given up for it. Press again, with the same value, to see what became of it.`;
}
