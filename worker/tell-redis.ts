import type { Kysely } from 'kysely';
import type { InvalidateInput } from '../activities/create-activities.ts';
import { NEXT_TRY_MS } from '../config/cache-repair.ts';
import type { Database } from '../storage/postgres/database-types.ts';
import { noteWrittenAround } from '../storage/postgres/written-around.ts';
import type { RedisStore } from '../storage/redis/client.ts';
import { invalidateEntries } from '../storage/redis/invalidate.ts';

/**
 * Tells Redis of entries that were written around it. What the write noted in PostgreSQL ends after a time, and Redis may be away
 * for longer: where it cannot be told, that it does not know yet is noted anew, for processes that start when it is back.
 * @throws as `invalidateEntries`, whether that could be noted or not.
 */
export async function tellRedis(
  { redis, db }: { readonly redis: RedisStore; readonly db: Kysely<Database> },
  {
    partition,
    entries,
    installation,
  }: Omit<InvalidateInput, 'installation'> & {
    readonly installation: InvalidateInput['installation'] | undefined;
  },
): Promise<void> {
  try {
    await invalidateEntries(redis, { partition, installation }, entries);
  } catch (error) {
    await noteWrittenAround(db, partition, (Date.now() + NEXT_TRY_MS) * 1_000).catch(() => {});
    throw error;
  }
}
