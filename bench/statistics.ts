/** What the rounds gave: the middle one, and how far they lay apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value, or the mean of the two in the middle. `NaN` for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half];
  if (upper === undefined) return Number.NaN;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[half - 1] ?? upper);
  return (lower + upper) / 2;
}

/** `undefined` for no values. */
export function spread(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * How two systems compare, round by round: what disturbs the machine for a while disturbs both values of a round, and leaves
 * their ratio. Rounds that one of them has not, or where the other did nothing, don't count.
 */
export function ratios(
  own: readonly (number | undefined)[],
  other: readonly (number | undefined)[],
): Spread | undefined {
  const pairs = own.flatMap((value, round) => {
    const base = other[round];
    return value === undefined || base === undefined || base === 0 ? [] : [value / base];
  });
  return spread(pairs);
}
