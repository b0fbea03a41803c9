import { isForeignBatch } from '../../domain/batch.ts';
import { type DescribedBatch, describeBatch } from '../../storage/temporal/describe-batch.ts';
import type { SlotRun } from '../../storage/temporal/describe-slot.ts';
import type { Context } from '../context.ts';

/**
 * As {@link describeBatch}; `undefined` also where the run is certainly one of another installation: where Redis does not say
 * which runs are one's own, slots are looked into that others may have taken. @throws TemporalUnreachable
 */
export async function describeOwn(
  { temporal, installation }: Context,
  run: SlotRun & { readonly deadlineMs: number },
): Promise<DescribedBatch | undefined> {
  const batch = await describeBatch(temporal, run);
  const own = installation.known();
  return batch !== undefined && own !== undefined && isForeignBatch(batch.batchId, own) ? undefined : batch;
}
