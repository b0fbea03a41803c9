import { type Epoch, type Installation, installationOf } from '../domain/epoch.ts';
import { HoldfastError } from '../domain/errors.ts';
import { EpochChanged } from '../storage/redis/errors.ts';
import { invalidateEntries } from '../storage/redis/invalidate.ts';
import { type PartitionOverview, partitionOverview } from '../storage/redis/overview.ts';
import { currentEpoch } from '../storage/redis/recover.ts';
import type { Context } from './context.ts';

/** It takes a person. */
const RETRY_AFTER_SECONDS = 30;

/**
 * Redis holds the data of another database: two installations share it, or the database was created anew or restored without
 * its name. Never mended by itself: of two installations that live, each would take the other's memory away.
 */
export class ForeignRedis extends HoldfastError {
  constructor(theirs: Installation, ours: Installation) {
    super(
      'dependency-unavailable',
      // Health cuts what is longer than 300 characters.
      `This Redis holds the data of another Holdfast database (${theirs}; this one is ${ours}). Nothing was read or written. ` +
        'Give each installation a Redis of its own (REDIS_URL); or, if the other database is gone and nothing of it is needed, empty this one (FLUSHALL).',
      { dependency: 'redis', retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
  }
}

/**
 * @param epoch what Redis names, valid or not; '' where it names none.
 * @throws ForeignRedis where it certainly is of another installation. Before PostgreSQL has said which one is one's own, none is.
 */
export function requireOwn({ installation }: Pick<Context, 'installation'>, epoch: Epoch | ''): void {
  const ours = installation.known();
  const theirs = installationOf(epoch);
  if (ours !== undefined && theirs !== undefined && theirs !== ours) throw new ForeignRedis(theirs, ours);
}

/**
 * As {@link currentEpoch}.
 * @throws ForeignRedis also where the other one's epoch is no longer valid; RedisUnavailable, RedisOutcomeUnknown.
 */
export async function ownEpoch(ctx: Context, partition: number): Promise<Epoch | undefined> {
  const { epoch, named } = await currentEpoch(ctx.redis, partition);
  requireOwn(ctx, named);
  return epoch;
}

/** As {@link invalidateEntries}, in no other installation's Redis. @throws as that does. */
export function invalidateOwn(
  { redis, installation }: Pick<Context, 'redis' | 'installation'>,
  partition: number,
  entries: Parameters<typeof invalidateEntries>[2],
): Promise<void> {
  return invalidateEntries(redis, { partition, installation: installation.known() }, entries);
}

/** As {@link partitionOverview}. @throws ForeignRedis; and as that does. */
export async function ownOverview(ctx: Context, partition: number): Promise<PartitionOverview> {
  try {
    const overview = await partitionOverview(ctx.redis, partition);
    requireOwn(ctx, overview.epoch);
    return overview;
  } catch (error) {
    // Where the state is not valid, whose it is must be asked.
    if (error instanceof EpochChanged) await ownEpoch(ctx, partition);
    throw error;
  }
}
