import type { RateLimit } from '../config/keys.ts';
import { exchangeDemand } from '../storage/redis/exchange-demand.ts';
import type { Context } from './context.ts';
import { createRateLimiter, type Demand, type RateLimits } from './rate-limiter.ts';
import { uniqueToken } from './tokens.ts';

/** How often the processes tell each other what they are asked for, in ms: for so long they may let through too much. */
const EXCHANGE_MS = 1_000;
/** What another process told counts for this long, and so does what was learnt while Redis does not answer, in ms. */
const BELIEVE_MS = 3_500;

const NOBODY: Demand = new Map();

/**
 * Limits that all API processes keep together. A request is only counted in memory; what the processes are asked for they
 * tell each other through Redis, in the background. One that cannot reach it keeps the limits by itself.
 */
export function startRateLimits(
  ctx: Pick<Context, 'redis' | 'log'>,
  limits: ReadonlyMap<string, RateLimit>,
): RateLimits & { stop(): void } {
  const limiter = createRateLimiter(limits);
  const process = uniqueToken();
  let heardAt = performance.now();

  let exchanging = false;
  async function exchange(): Promise<void> {
    if (exchanging) return;
    exchanging = true;
    try {
      limiter.share(await exchangeDemand(ctx.redis, process, limiter.demand(), BELIEVE_MS));
      heardAt = performance.now();
    } catch (error) {
      ctx.log.debug({ err: error }, 'could not share rate limits: they are kept by this process alone');
      if (performance.now() - heardAt > BELIEVE_MS) limiter.share(NOBODY);
    } finally {
      exchanging = false;
    }
  }

  const timer = limits.size === 0 ? undefined : setInterval(() => void exchange(), EXCHANGE_MS).unref();
  return { take: limiter.take, stop: () => clearInterval(timer) };
}
