import { type Kysely, sql } from 'kysely';
import { allPartitions } from '../domain/partition.ts';
import type { Database } from '../storage/postgres/database-types.ts';
import { describeError } from '../storage/postgres/errors.ts';
import { RedisUnavailable, RedisUnreachable } from '../storage/redis/errors.ts';
import { withDeadline } from '../storage/temporal/errors.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import type { DependencyHealth } from './holdfast.ts';
import { impactOf, type Outage } from './impact.ts';
import { ForeignRedis, ownEpoch } from './own-redis.ts';
import { createSearchAttributeCheck } from './search-attribute-health.ts';
import type { TopologyGate } from './topology-gate.ts';

const CHECK_MS = 1_500;

/** How one dependency is, before it is known what else is down. */
type Checked = Omit<DependencyHealth, 'impact'> & { readonly refuses?: boolean };

/**
 * Asks every dependency at once, each within a second and a half. Redis and PostgreSQL are asked for what a write needs: there
 * are servers that answer everything else. A partition that has to be recovered is none of this, and is left as it is.
 */
export function createHealth(
  ctx: Context,
  topology: Pick<TopologyGate, 'problem'>,
): () => Promise<readonly DependencyHealth[]> {
  // One question at a time: probes come faster than a dependency that hangs lets go of them.
  const asked = new Map<DependencyHealth['dependency'], Promise<unknown>>();

  function once(dependency: DependencyHealth['dependency'], ask: () => Promise<unknown>): Promise<unknown> {
    const underWay = asked.get(dependency);
    if (underWay !== undefined) return underWay;
    const asking = ask().finally(() => asked.delete(dependency));
    asked.set(dependency, asking);
    return asking;
  }

  async function check(
    dependency: DependencyHealth['dependency'],
    ask: () => Promise<unknown>,
  ): Promise<Checked> {
    try {
      await beforeDeadline(once(dependency, ask), performance.now() + CHECK_MS);
      return { dependency, ok: true, problem: '' };
    } catch (error) {
      const problem =
        error instanceof Error && 'code' in error && error.code === 'deadline-exceeded'
          ? 'no answer in time'
          : describeError(error);
      const refuses = error instanceof RedisUnavailable && !(error instanceof RedisUnreachable);
      const stopsAll = error instanceof ForeignRedis ? { stopsAll: true as const } : {};
      return { dependency, ok: false, problem, refuses, ...stopsAll };
    }
  }

  /** Until then, this process does not know how the data are laid out, whatever else is well. */
  async function postgres(): Promise<Checked> {
    const problem = topology.problem();
    if (problem === undefined) return check('postgres', () => requireWritable(ctx.db));
    return { dependency: 'postgres', ok: false, problem, stopsAll: true };
  }

  const searchAttributes = createSearchAttributeCheck(ctx);
  const namespace = ctx.environment.TEMPORAL_NAMESPACE;
  const partitions = allPartitions(ctx.environment.PARTITIONS);

  async function workers(): Promise<void> {
    const { pollers } = await withDeadline(ctx.temporal, CHECK_MS, ({ service }) =>
      service.describeTaskQueue({
        namespace,
        taskQueue: { name: ctx.environment.TEMPORAL_TASK_QUEUE },
        // TASK_QUEUE_TYPE_WORKFLOW
        taskQueueType: 1,
      }),
    );
    // A long poll lasts up to a minute: a worker heard of longer ago is gone.
    const since = Date.now() / 1_000 - 75;
    const alive = (pollers ?? []).some((poller) => Number(poller.lastAccessTime?.seconds ?? 0) >= since);
    if (!alive) throw new Error('no worker polls the task queue');
  }

  return async () => {
    const checked = await Promise.all([
      // The script is one that writes, for Redis, whatever the epoch is. All partitions: of two installations that began with one
      // empty Redis, each may have some.
      check('redis', () => Promise.all(partitions.map((partition) => ownEpoch(ctx, partition)))),
      postgres(),
      check('temporal', () =>
        withDeadline(ctx.temporal, CHECK_MS, ({ service }) => service.describeNamespace({ namespace })),
      ),
      check('workers', workers),
      check('search-attributes', searchAttributes),
    ]);
    return withImpacts(checked);
  };
}

function withImpacts(checked: readonly Checked[]): readonly DependencyHealth[] {
  const outage: Outage = {
    down: new Set(checked.filter(({ ok }) => !ok).map(({ dependency }) => dependency)),
    redisRefuses: checked.some(({ refuses }) => refuses),
    notBegun: checked.some(({ dependency, stopsAll }) => dependency === 'postgres' && stopsAll),
    redisIsForeign: checked.some(({ dependency, stopsAll }) => dependency === 'redis' && stopsAll),
  };
  return checked.map(({ refuses, ...one }) => ({
    ...one,
    impact: one.ok ? '' : impactOf(one.dependency, outage),
  }));
}

/** @throws Error where the server is a standby, or its transactions may only read; errors of `pg`. */
async function requireWritable(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{ standby: boolean; readOnly: string }>`
    SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') AS "readOnly"`.execute(
    db,
  );
  if (rows[0]?.standby) throw new Error('this server is a standby: it takes no writes');
  if (rows[0]?.readOnly === 'on')
    throw new Error('transactions are read-only (default_transaction_read_only)');
}
