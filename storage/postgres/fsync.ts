import { type Kysely, sql } from 'kysely';
import type { Database } from './database-types.ts';

/** Whether commits reach the disk before they are answered, as far as the whole server goes: `fsync`. */
export async function syncsToDisk(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql<{ fsync: string }>`SELECT current_setting('fsync') AS fsync`.execute(db);
  return rows[0]?.fsync === 'on';
}
