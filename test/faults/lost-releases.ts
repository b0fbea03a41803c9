import { setTimeout as sleep } from 'node:timers/promises';
import { partitionKeys } from '../../storage/redis/keys.ts';
import { type Bed, PARTITIONS } from './bed.ts';

const LOOK_MS = 20;

/**
 * Undoes what a release did to the slot, the list of confirmed batches and the index, as if the release had been lost. Not
 * where the slot has another batch by now.
 *
 * KEYS  1 sent  2 free  3 index
 * ARGV  1 batch  2 what `sent` held of it  3… ids of entries whose index named it
 */
const LOSE = `
local slot = string.match(ARGV[2], '^%d+')
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 or redis.call('LREM', KEYS[2], 0, slot) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 3, #ARGV do redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[1]) end
return 1`;

/** Lets the next release of each partition be lost: the batch is in PostgreSQL, and Redis was never told. */
export async function loseReleases(bed: Bed, givenUp: () => boolean): Promise<void> {
  await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => {
      while (!givenUp() && !(await loseOne(bed, partition, givenUp))) await sleep(LOOK_MS);
    }),
  );
}

async function loseOne(
  { redisClient: redis }: Bed,
  partition: number,
  givenUp: () => boolean,
): Promise<boolean> {
  const { sent, free, index } = partitionKeys(partition);
  const [batches, entries] = await Promise.all([redis.hgetall(sent), redis.hgetall(index)]);
  const confirmed = Object.entries(batches).find(([, record]) => / confirmed /.test(record));
  if (confirmed === undefined) return false;
  const [batch, record] = confirmed;
  while ((await redis.hexists(sent, batch)) === 1) {
    if (givenUp()) return false;
    await sleep(LOOK_MS);
  }
  const ids = Object.keys(entries).filter((id) => entries[id] === batch);
  return (await redis.eval(LOSE, 3, sent, free, index, batch, record, ...ids)) === 1;
}
