import type { DependencyHealth } from './holdfast.ts';

type Name = DependencyHealth['dependency'];

/** All that is wrong at one moment: what still works depends on the whole of it. */
export interface Outage {
  readonly down: ReadonlySet<Name>;
  /** Redis answers, and runs no script: without a replica that it must have, as a replica, while it loads its data. */
  readonly redisRefuses: boolean;
  /** PostgreSQL was not reached since the process started. */
  readonly notBegun: boolean;
  /** Redis holds the data of another database. */
  readonly redisIsForeign: boolean;
}

const ALONE = {
  redis:
    'Documents are written straight to PostgreSQL, slowly; write-behind counters and conditional writes are refused; reads are merged from workflows and PostgreSQL.',
  postgres:
    'Write-through writes are refused; write-behind writes are queued, but for those with a new Idempotency-Key and, of entries that are not cached, increments, PATCH and conditional ones: they are refused; reads are answered from the cache and the queue.',
  temporal:
    'Write-behind writes are persisted directly; reads that miss the cache may be refused, and so may increments, PATCH and conditional writes that do.',
} as const;

const REDIS_REFUSES =
  'Redis refuses writes, so they are refused here; reads are merged from workflows and PostgreSQL.';

/**
 * What is lost while a dependency is away, with whatever else is: a sentence for operators and readiness checks. As the table
 * of docs/consistency.md has it.
 */
export function impactOf(dependency: Name, { down, redisRefuses, notBegun, redisIsForeign }: Outage): string {
  if (dependency === 'search-attributes') {
    return 'No request needs them; batches cannot be found by state, collection or error in the Temporal Web UI.';
  }
  if (dependency === 'workers') return withoutWorkers(down);
  if (notBegun) return 'Nothing is served until PostgreSQL was reached once.';
  if (redisIsForeign) return 'All reads and writes are refused: Redis holds the data of another database.';
  const together = ofSeveral(down);
  if (together !== undefined) return together;
  return dependency === 'redis' && redisRefuses ? REDIS_REFUSES : ALONE[dependency];
}

/** `undefined` where no two are down that would have stood in for each other. */
function ofSeveral(down: ReadonlySet<Name>): string | undefined {
  if (down.has('redis') && down.has('postgres')) {
    return 'Without Redis and PostgreSQL, all reads and writes are refused.';
  }
  if (down.has('redis') && down.has('temporal')) {
    return 'Without Redis and Temporal, all writes are refused; collections that are written through are read from PostgreSQL, other reads are refused.';
  }
  if (down.has('postgres') && down.has('temporal')) {
    return 'Without PostgreSQL and Temporal, write-through writes are refused; write-behind writes stay in Redis, acknowledged as cached, as long as it has room, and are refused then, at once those with a new Idempotency-Key and, of entries that are not cached, increments, PATCH and conditional ones; reads are answered from what Redis holds, others are refused.';
  }
  return undefined;
}

function withoutWorkers(down: ReadonlySet<Name>): string {
  if (down.has('temporal')) return 'Whether workers run is not known while Temporal does not answer.';
  if (down.has('redis') || down.has('postgres')) return 'What is queued is not persisted before one runs.';
  return 'Write-behind writes are queued and not yet persisted; reads are unaffected.';
}
