/** Up to this many microseconds each value has a bucket of its own; above, 64 buckets to each doubling (1.6 % wide). */
const EXACT = 128;
const PER_DOUBLING = 64;
/** Holds 2^31 µs, about 36 minutes. */
const LONGEST = 2 ** 31 - 1;

/** Latencies, in memory that doesn't grow. */
export interface Histogram {
  /** A time in milliseconds; negative ones count as 0. */
  record(ms: number): void;
  readonly count: number;
  /** The time in milliseconds that this share (0 to 1) of all does not exceed, within 0.8 %; 0 where there is none. */
  quantile(share: number): number;
}

function bucketOf(micros: number): number {
  if (micros < EXACT) return micros;
  const shift = 25 - Math.clz32(micros);
  return shift * PER_DOUBLING + (micros >>> shift);
}

/** The middle of a bucket, in microseconds. */
function middleOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const shift = Math.floor(bucket / PER_DOUBLING) - 1;
  const low = (bucket - shift * PER_DOUBLING) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}

export function createHistogram(): Histogram {
  const counts = new Uint32Array(bucketOf(LONGEST) + 1);
  let count = 0;
  return {
    record(ms) {
      const micros = Math.min(LONGEST, Math.max(0, Math.round(ms * 1_000)));
      const bucket = bucketOf(micros);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      count += 1;
    },
    get count() {
      return count;
    },
    quantile(share) {
      const rank = Math.max(1, Math.ceil(share * count));
      let seen = 0;
      for (const [bucket, n] of counts.entries()) {
        seen += n;
        if (n > 0 && seen >= rank) return middleOf(bucket) / 1_000;
      }
      return 0;
    },
  };
}
