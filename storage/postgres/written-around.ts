import { type Kysely, sql } from 'kysely';
import type { Database } from './database-types.ts';

/** So much later is noted than asked for: then not every write around Redis updates the row of its partition. */
const AHEAD_MICROS = 1_000_000;

/**
 * Notes until when Redis may hold older copies of entries of a partition, in microseconds since 1970. Before the write that
 * goes around it commits: a process that starts later must know.
 */
export async function noteWrittenAround(
  db: Kysely<Database>,
  partition: number,
  untilMicros: number,
): Promise<void> {
  await sql`UPDATE partition_clocks SET around_until = ${untilMicros + AHEAD_MICROS}::bigint
    WHERE partition = ${partition}::integer AND around_until < ${untilMicros}::bigint`.execute(db);
}

/** The latest such time of all partitions; 0 where nothing was ever written around Redis. */
export async function writtenAroundUntil(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ until: number | null }>`
    SELECT max(around_until) AS until FROM partition_clocks`.execute(db);
  return rows[0]?.until ?? 0;
}
