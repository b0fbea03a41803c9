import { REPAIR_CACHE_WORKFLOW } from '../../config/temporal-names.ts';
import type { Installation } from '../../domain/epoch.ts';
import type { EntryVersion } from '../../domain/mutation.ts';
import { partitionName } from '../../domain/partition.ts';
import type { CacheRepairInput } from '../../workflows/messages.ts';
import type { Temporal } from './client.ts';
import { withDeadline } from './errors.ts';

/**
 * Orders the durable invalidation of entries that are about to be written around Redis.
 * @throws TemporalUnreachable: it may or may not have been started; repeating it is harmless.
 */
export async function startCacheRepair(
  temporal: Temporal,
  repair: {
    readonly partition: number;
    readonly installation: Installation;
    readonly entries: readonly EntryVersion[];
    /** Milliseconds from now until Redis is told, and from then until it is told once more. */
    readonly delayMs: number;
    readonly againMs: number;
    /** Unique to this call. */
    readonly token: string;
    readonly deadlineMs: number;
  },
): Promise<void> {
  const input: CacheRepairInput = {
    format: 1,
    partition: repair.partition,
    installation: repair.installation,
    entries: repair.entries.map(({ collection, key, version }) => ({ collection, key, version })),
    notBefore: Date.now() + repair.delayMs,
    delayMs: repair.delayMs,
    againMs: repair.againMs,
  };
  const name = partitionName(repair.partition);
  await withDeadline(temporal, repair.deadlineMs, ({ workflow }) =>
    workflow.start(REPAIR_CACHE_WORKFLOW, {
      workflowId: `repair-cache:${name}:${repair.token}`,
      taskQueue: temporal.taskQueue,
      args: [input],
      staticSummary: `${repair.entries.length} entries written around Redis · ${name}`,
    }),
  );
}
