import { type Kysely, sql } from 'kysely';
import type { EntryKind } from '../../domain/entry.ts';
import { MAX_VERSION, type Version } from '../../domain/version.ts';
import { CLOCK_AHEAD_MICROS } from './commit-row.ts';
import type { Database } from './database-types.ts';
import { sqlState } from './errors.ts';

export interface Touch {
  readonly key: string;
  /** The row's new version. */
  readonly version: Version;
  readonly partition: number;
}

export interface TouchRows {
  readonly kind: EntryKind;
  readonly collection: string;
  /** At most one of each key. */
  readonly touches: readonly Touch[];
  /** Microseconds since 1970 by PostgreSQL's clock: past it, the statement does not commit. */
  readonly notAfterMicros: number;
}

/**
 * `absent`: there is no row. `superseded`: the row has this version or a newer one; take a version above `version`, and repeat.
 */
export type Touched =
  | { readonly outcome: 'touched' }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'superseded'; readonly version: Version };

const TABLES = { document: sql.raw('documents'), counter: sql.raw('counters') } as const;
const TOO_LATE = 'HF001';

/**
 * Raises the versions of rows and leaves their values as they are, in one statement that locks the rows in the order in which
 * everybody does, the partitions' rows last. In the order of the touches; `undefined`: the deadline had passed, and nothing was changed.
 * @throws errors as `pg` gave them
 */
export async function touchRows(
  db: Kysely<Database>,
  { kind, collection, touches, notAfterMicros }: TouchRows,
): Promise<Touched[] | undefined> {
  const table = TABLES[kind];
  try {
    const { rows } = await sql<{ before: Version | null; touched: boolean }>`
      WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(
          ${touches.map((t) => t.key)}::text[], ${touches.map((t) => t.version)}::bigint[],
          ${touches.map((t) => t.partition)}::integer[]
        ) WITH ORDINALITY AS w (key, version, partition, place)
      ), locked AS MATERIALIZED (
        SELECT t.key, t.version AS before, w.version, w.partition FROM ${table} AS t
        JOIN wanted AS w ON t.collection = ${collection}::text AND t.key = w.key
        ORDER BY t.collection, t.key FOR UPDATE OF t
      ), touched AS (
        UPDATE ${table} AS t SET version = l.version, updated_at = now() FROM locked AS l
        WHERE t.collection = ${collection}::text AND t.key = l.key AND l.before < l.version
        RETURNING t.key, l.partition, t.version
      ), highest AS MATERIALIZED (
        SELECT partition, max(version) AS version FROM touched GROUP BY partition
      ), clocks AS MATERIALIZED (
        SELECT c.partition, h.version FROM partition_clocks AS c JOIN highest AS h ON h.partition = c.partition
        WHERE c.clock < h.version ORDER BY c.partition FOR UPDATE OF c
      ), raised AS (
        UPDATE partition_clocks AS c
        SET clock = least(k.version + ${CLOCK_AHEAD_MICROS}::bigint, ${MAX_VERSION}::bigint)
        FROM clocks AS k WHERE c.partition = k.partition RETURNING 1
      ), done AS MATERIALIZED (
        SELECT holdfast_refuse_after(${notAfterMicros}::bigint, (SELECT count(*) FROM raised))
      )
      SELECT l.before, t.key IS NOT NULL AS touched
      FROM wanted AS w LEFT JOIN locked AS l ON l.key = w.key LEFT JOIN touched AS t ON t.key = w.key CROSS JOIN done
      ORDER BY w.place`.execute(db);
    return rows.map(({ before, touched }) => {
      if (before === null) return { outcome: 'absent' };
      return touched ? { outcome: 'touched' } : { outcome: 'superseded', version: before };
    });
  } catch (error) {
    if (sqlState(error) === TOO_LATE) return undefined;
    throw error;
  }
}
