import type { Redis } from 'ioredis';
import type { Client } from 'pg';

export const PARTS = ['server', 'redis', 'worker', 'postgres', 'temporal'] as const;
export type Part = (typeof PARTS)[number];

/** Process ids: a part may be several processes. `server` are those that answer HTTP. */
export type Parts = Readonly<Partial<Record<Part, readonly number[]>>>;

/** A server under test. */
export interface System {
  /** Where it answers HTTP: one port for each server process. */
  readonly ports: readonly number[];
  /** The processes that work for it, their children included. */
  readonly parts: Parts;
  /** A connection to the database it writes to, and the table that its documents are in. */
  readonly db: Client | undefined;
  readonly table: 'documents' | 'entries';
  /** A connection to the Redis that it has for itself. */
  readonly redis: Redis | undefined;
  /** Where its worker serves its metrics, those of the Temporal SDK among them; only where a profile is made. */
  readonly workerMetrics?: string | undefined;
  /** Whether all that it acknowledged is in PostgreSQL. May take seconds to answer. */
  settled(): Promise<boolean>;
}

/** Ends the connections, not the processes. */
export async function disconnect({ db, redis }: System): Promise<void> {
  redis?.disconnect();
  await db?.end().catch(() => {});
}
