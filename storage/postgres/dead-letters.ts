import { type Kysely, sql } from 'kysely';
import type { BatchId } from '../../domain/batch.ts';
import type { Database } from './database-types.ts';
import type { SetAside } from './types.ts';

/** The mutations that were set aside when this batch was persisted, in key order. */
export async function deadLettersOf(db: Kysely<Database>, batchId: BatchId): Promise<SetAside[]> {
  const { rows } = await sql<SetAside>`
    SELECT collection, key, version, sqlstate, message FROM dead_letters
    WHERE batch_id = ${batchId} ORDER BY collection, key, version`.execute(db);
  return rows;
}
