/**
 * The name of one life of a partition's memory in Redis: `<number>-<random>`. The number grows with every recovery; the
 * random part keeps two recoveries that saw the same past from making the same name. `0-0` is before the first.
 */
export type Epoch = string;

export const FIRST_EPOCH: Epoch = '0-0';

/** The number of an epoch; 0 for text that is none, so that it counts as older than any. */
export function epochNumber(epoch: Epoch): number {
  const match = /^(\d{1,15})-[0-9a-z]+$/.exec(epoch);
  return match === null ? 0 : Number(match[1]);
}

/** The epoch that follows the given ones. `random` is text of `[0-9a-z]`, at least 40 bits of randomness. */
export function nextEpoch(random: string, ...known: Epoch[]): Epoch {
  return `${Math.max(...known.map(epochNumber)) + 1}-${random}`;
}
