import { documentBody } from './document-body.ts';
import type { System } from './system.ts';

/** More than anything under test reads in a second. */
const READS_PER_SECOND = 12_000;

/**
 * Rows that no cache knows: written around the system, past everything it does. Answers how many, which is for how many
 * reads they last.
 */
export async function createColdRows(
  { db, table }: System,
  prefix: string,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<number> {
  if (db === undefined) return 0;
  const rows = Math.ceil((READS_PER_SECOND * ms) / 1_000);
  const columns = table === 'documents' ? '(collection, key, version, value, deleted)' : '(key, value)';
  const values = table === 'documents' ? `'carts', $1 || n, 1, $3::jsonb, false` : '$1 || n, $3::jsonb';
  await db.query(
    `INSERT INTO ${table} ${columns} SELECT ${values} FROM generate_series(0, $2::integer - 1) AS n`,
    [prefix, rows, documentBody(0, bytes)],
  );
  return rows;
}
