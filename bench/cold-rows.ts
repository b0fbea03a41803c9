import { documentBody } from './document-body.ts';
import type { System } from './system.ts';

/** More than anything under test reads in a second. */
export const READS_PER_SECOND = 12_000;

/** Some of the rows whose keys are a prefix and a number: those from `from` on, before `to`, with documents of `bytes` bytes. */
export interface NumberedRows {
  readonly prefix: string;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

/**
 * Writes rows around the system, past everything it does, so that no cache knows them. Each is as the system would have left it, an
 * hour ago: with a version of that time, where it has versions, and a document of its own.
 * @throws the driver's error, also where one of them is there already.
 */
export async function insertRows({ db, table }: System, rows: NumberedRows): Promise<void> {
  const { prefix, from, to, bytes } = rows;
  const columns = table === 'documents' ? '(collection, key, version, value, deleted)' : '(key, value)';
  const value = `replace($4, '"0000000000"', '"' || lpad(n::text, 10, '0') || '"')::jsonb`;
  const version = `(extract(epoch FROM now() - interval '1 hour') * 1000000)::bigint`;
  const values =
    table === 'documents' ? `'carts', $1 || n, ${version}, ${value}, false` : `$1 || n, ${value}`;
  await db?.query(
    `INSERT INTO ${table} ${columns} SELECT ${values} FROM generate_series($2::bigint, $3::bigint - 1) AS n`,
    [prefix, from, to, documentBody(0, bytes)],
  );
}

/** Rows that no cache knows. Answers how many, which is for how many reads they last. */
export async function createColdRows(
  system: System,
  prefix: string,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<number> {
  if (system.db === undefined) return 0;
  const rows = Math.ceil((READS_PER_SECOND * ms) / 1_000);
  await insertRows(system, { prefix, from: 0, to: rows, bytes });
  return rows;
}
