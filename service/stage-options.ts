import type { StageOptions } from '../storage/redis/write.ts';
import type { Context } from './context.ts';

/** What all staging scripts are told: the limits of batch and queue, and until when they may run. */
export function stageOptions({
  environment,
  redis,
}: Pick<Context, 'environment' | 'redis'>): Pick<StageOptions, 'notAfter' | 'limits' | 'maxQueued'> {
  return {
    notAfter: () => redis.estimatedTime() + environment.REDIS_TIMEOUT_MS * 1_000,
    limits: { entries: environment.BATCH_MAX_ENTRIES, bytes: environment.BATCH_MAX_BYTES },
    maxQueued: environment.STAGED_MAX_BATCHES,
  };
}
