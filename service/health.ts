import { sql } from 'kysely';
import { describeError } from '../storage/postgres/errors.ts';
import type { Context } from './context.ts';
import { beforeDeadline } from './deadline.ts';
import type { DependencyHealth } from './holdfast.ts';

const CHECK_MS = 1_500;

/** What is lost while a dependency is away, for operators and readiness checks. */
const IMPACT = {
  redis:
    'Documents are written straight to PostgreSQL, slowly; write-behind counters and conditional writes are refused; reads are merged from workflows and PostgreSQL.',
  postgres:
    'Write-through writes are refused; write-behind writes are queued; reads are answered from the cache and the queue.',
  temporal: 'Write-behind writes are persisted directly; reads that miss the cache may be refused.',
  workers: 'Write-behind writes are queued and not yet persisted; reads are unaffected.',
} as const;

/** Asks every dependency at once, each within a second and a half. */
export function createHealth(ctx: Context): () => Promise<readonly DependencyHealth[]> {
  async function check(
    dependency: DependencyHealth['dependency'],
    ask: () => Promise<unknown>,
  ): Promise<DependencyHealth> {
    try {
      await beforeDeadline(ask(), performance.now() + CHECK_MS);
      return { dependency, ok: true, problem: '', impact: '' };
    } catch (error) {
      const problem =
        error instanceof Error && 'code' in error && error.code === 'deadline-exceeded'
          ? 'no answer in time'
          : describeError(error);
      return { dependency, ok: false, problem, impact: IMPACT[dependency] };
    }
  }

  async function workers(): Promise<void> {
    const { pollers } = await ctx.temporal.client.workflowService.describeTaskQueue({
      namespace: ctx.environment.TEMPORAL_NAMESPACE,
      taskQueue: { name: ctx.environment.TEMPORAL_TASK_QUEUE },
      // TASK_QUEUE_TYPE_WORKFLOW
      taskQueueType: 1,
    });
    // A long poll lasts up to a minute: a worker heard of longer ago is gone.
    const since = Date.now() / 1_000 - 75;
    const alive = (pollers ?? []).some((poller) => Number(poller.lastAccessTime?.seconds ?? 0) >= since);
    if (!alive) throw new Error('no worker polls the task queue');
  }

  return () =>
    Promise.all([
      check('redis', () => ctx.redis.ping()),
      check('postgres', () => sql`SELECT 1`.execute(ctx.db)),
      check('temporal', () =>
        ctx.temporal.client.workflowService.describeNamespace({
          namespace: ctx.environment.TEMPORAL_NAMESPACE,
        }),
      ),
      check('workers', workers),
    ]);
}
