import type { Client } from 'pg';
import type { System } from './system.ts';

/** How long the last acknowledged write may take until it counts as not persisted at all. */
const PATIENCE_MS = 60_000;
const EVERY_MS = 50;

export type WithDatabase = System & { readonly db: Client };

/** How far PostgreSQL was behind when the load ended. */
export interface Backlog {
  /** Acknowledged writes that were not in PostgreSQL at that moment; `undefined`: nobody counted. */
  readonly writes: number | undefined;
  /** Seconds until all were; `undefined`: they did not arrive. */
  readonly seconds: number | undefined;
}

/** What follows FROM where rows are looked for by key, so that the primary key is used. All that is written behind is a cart. */
export function rowsOf({ table }: Pick<System, 'table'>): string {
  return table === 'documents' ? `documents WHERE collection = 'carts' AND` : 'entries WHERE';
}

/** How many of the writes to keys with this prefix are in PostgreSQL. */
export async function persistedEntries(system: WithDatabase, prefix: string): Promise<number> {
  const { rows } = await system.db.query<{ n: number }>(
    `SELECT count(*)::integer AS n FROM ${rowsOf(system)} key >= $1 AND key < $2`,
    [prefix, `${prefix}~`],
  );
  return rows[0]?.n ?? 0;
}

/** The value of the hot counter in PostgreSQL. */
export async function persistedCount(db: Client): Promise<number> {
  const { rows } = await db.query<{ value: string }>(
    `SELECT value FROM counters WHERE collection = 'page-views' AND key = 'hot'`,
  );
  return Number(rows[0]?.value ?? 0);
}

/** Waits until PostgreSQL has `expected` writes. */
export async function untilPersisted(expected: number, persisted: () => Promise<number>): Promise<Backlog> {
  let writes: number | undefined;
  const seconds = await secondsUntil(async () => {
    const missing = Math.max(0, expected - (await persisted()));
    writes ??= missing;
    return missing === 0;
  });
  return { writes, seconds };
}

/** The same where writes replace each other, so that rows do not tell how many are there. */
export async function untilSettled(system: System): Promise<Backlog> {
  return { writes: undefined, seconds: await secondsUntil(() => system.settled()) };
}

/** `undefined` where it did not come to pass in time. */
async function secondsUntil(isSo: () => Promise<boolean>): Promise<number | undefined> {
  const begin = performance.now();
  for (;;) {
    const so = await isSo();
    const elapsed = performance.now() - begin;
    if (so) return elapsed / 1_000;
    if (elapsed > PATIENCE_MS) return undefined;
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

/** Rows that all statements of this connection's database have inserted or updated so far, those of books kept beside the entries included. */
export async function rowsWritten(db: Client): Promise<number> {
  const { rows } = await db.query<{ n: string }>(
    `SELECT coalesce(sum(s.rows), 0) AS n FROM pg_stat_statements AS s
     WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND s.query ~* '(insert\\s+into|update\\s+\\w+\\s+(as\\s+\\w+\\s+)?set)\\s'`,
  );
  return Number(rows[0]?.n ?? 0);
}
