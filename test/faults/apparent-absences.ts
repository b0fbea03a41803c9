import type { Absence, Call } from './history.ts';

/**
 * Where a process said that it did without Redis: it was cut off, whether a fault did that or a machine so busy that Redis
 * did not answer in time. What clients may then observe is documented, and is the same.
 */
export function apparentAbsences(calls: readonly Call[]): readonly Absence[] {
  return calls
    .filter(({ withoutRedis }) => withoutRedis === true)
    .map(({ api, start, end }) => ({ api, from: start, to: end }));
}
