import type { RateLimit } from '../config/keys.ts';

/** Why a request is too many. */
export interface RateRefusal {
  /** When there is room for one more, in seconds; as far as is known. */
  readonly retryAfterSeconds: number;
  readonly limit: RateLimit;
}

export interface RateLimits {
  /** Counts one request of a key, by its name; answers why it is refused, if it is. */
  take(key: string): RateRefusal | undefined;
}

/** What several processes tell each other: requests a second, refused ones included, by the name of the key. */
export type Demand = ReadonlyMap<string, number>;

export interface RateLimiter extends RateLimits {
  /** What was asked of this process since the last call. */
  demand(): Demand;
  /** Takes this process's part of each limit, given what the others are asked for; without them, all of it. */
  share(others: Demand): void;
}

interface Bucket {
  readonly limit: RateLimit;
  /** Tokens a second: this process's part of the limit. */
  perSecond: number;
  /** Up to the whole burst in each process: a client that moves to another one lives on it until the parts have followed. */
  tokens: number;
  /** When `tokens` was right. */
  at: number;
  /** Requests since demand was last asked for. */
  asked: number;
  /** Requests a second between the last two times. */
  seen: number;
  /**
   * The mean of the last two `seen`: requests come in clusters. It is linear, so that a client that moves from one process
   * to another does not look like two.
   */
  demand: number;
}

/** Where the others leave little or nothing, in seconds: how the parts will be by then, nobody knows. */
const MAX_WAIT_S = 5;

/**
 * A token bucket for each key, in memory. Several processes share a limit by demand: while all of them together are asked
 * for less than it, each may use what the others leave; past it, each gets the part that its demand has of the whole. So
 * together they let through what the limit says, whichever processes a client is connected to.
 * @param now in ms, on a clock that never goes back.
 */
export function createRateLimiter(
  limits: ReadonlyMap<string, RateLimit>,
  now: () => number = () => performance.now(),
): RateLimiter {
  let demandedAt = now();
  const buckets = new Map(
    [...limits].map(([key, limit]): [string, Bucket] => [
      key,
      {
        limit,
        perSecond: limit.perSecond,
        tokens: limit.burst,
        at: demandedAt,
        asked: 0,
        seen: 0,
        demand: 0,
      },
    ]),
  );

  function refill(bucket: Bucket): void {
    const at = now();
    const gained = ((at - bucket.at) / 1_000) * bucket.perSecond;
    bucket.tokens = Math.min(bucket.limit.burst, bucket.tokens + gained);
    bucket.at = at;
  }

  return {
    take(key) {
      const bucket = buckets.get(key);
      if (bucket === undefined) return undefined;
      bucket.asked += 1;
      refill(bucket);
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return undefined;
      }
      const seconds = (1 - bucket.tokens) / bucket.perSecond;
      return { retryAfterSeconds: Math.min(MAX_WAIT_S, seconds), limit: bucket.limit };
    },
    demand() {
      const seconds = Math.max(0.001, (now() - demandedAt) / 1_000);
      demandedAt = now();
      const demand = new Map<string, number>();
      for (const [key, bucket] of buckets) {
        const seen = bucket.asked / seconds;
        bucket.demand = (seen + bucket.seen) / 2;
        bucket.seen = seen;
        bucket.asked = 0;
        if (bucket.demand > 0) demand.set(key, bucket.demand);
      }
      return demand;
    },
    share(others) {
      for (const [key, bucket] of buckets) {
        refill(bucket);
        const { perSecond } = bucket.limit;
        const theirs = others.get(key) ?? 0;
        const all = bucket.demand + theirs;
        bucket.perSecond = all <= perSecond ? perSecond - theirs : perSecond * (bucket.demand / all);
      }
    },
  };
}
