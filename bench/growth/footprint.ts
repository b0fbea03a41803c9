import { statSync } from 'node:fs';
import { type ByPart, residentMegabytes } from '../processes.ts';
import type { Services } from '../services.ts';
import type { Holdfast } from '../start-holdfast.ts';

const MEGABYTE = 2 ** 20;

/** What a Holdfast occupies at one moment. Sizes in MB of 2^20 bytes. */
export interface Footprint {
  /** Documents in PostgreSQL, of all collections. */
  readonly rows: number;
  readonly table: number;
  readonly indexes: number;
  /** Resident memory by part; of PostgreSQL and Temporal, that of the one server all systems share. */
  readonly resident: ByPart;
  /** What Redis counts as used by its data. */
  readonly redisUsed: number;
  readonly redisKeys: number;
  /** Temporal's database file with its write-ahead log. */
  readonly temporalFile: number;
}

/** Measures it. Counting the rows reads the whole table. */
export async function footprint(services: Services, { db, redis, parts }: Holdfast): Promise<Footprint> {
  const { rows } = await db.query<Record<'rows' | 'table' | 'indexes', string>>(
    `SELECT count(*) AS rows, pg_table_size('documents') AS table, pg_indexes_size('documents') AS indexes
     FROM documents`,
  );
  const used = /^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1];
  return {
    rows: Number(rows[0]?.rows ?? 0),
    table: Number(rows[0]?.table ?? 0) / MEGABYTE,
    indexes: Number(rows[0]?.indexes ?? 0) / MEGABYTE,
    resident: residentMegabytes(parts),
    redisUsed: Number(used ?? 0) / MEGABYTE,
    redisKeys: await redis.dbsize(),
    temporalFile:
      (bytesOf(services.temporal.databaseFile) + bytesOf(`${services.temporal.databaseFile}-wal`)) / MEGABYTE,
  };
}

function bytesOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
