import type { Logger } from 'pino';
import { slotWorkflowId } from '../../config/temporal-names.ts';
import type { RescueMetrics } from '../../telemetry/metrics.ts';
import type { SweepNews } from './look-after.ts';

export interface SweepReport {
  readonly log: Logger;
  readonly metrics: RescueMetrics;
}

/** Logs and counts what a sweep came upon. Whoever is first to see to something tells of it: nobody else will. */
export function reportSweep({ log, metrics }: SweepReport, news: SweepNews): void {
  if (news.found === 'dangling') {
    log.info({ removed: news.entries }, 'removed index entries of batches that are done');
    return;
  }
  const { batchId, partition, slot, runId } = news.batch;
  const batch = { batchId, workflowId: slotWorkflowId(partition, slot), runId };
  switch (news.found) {
    case 'lost-release':
      log.info({ ...batch, outcome: news.outcome }, 'redid a release that was lost');
      metrics.rescued('release-redone');
      break;
    case 'ended-batch':
      log.warn(
        { ...batch, endedRunId: runId, runId: news.newRunId, writes: news.writes },
        'the workflow of a batch ended with its writes inside (terminated, failed or reset): they are queued again, in another run',
      );
      metrics.rescued('workflow-restarted');
      break;
    case 'unknown-run':
      log.error(batch, 'Temporal does not know the workflow of a batch');
      break;
    case 'trouble':
      log.warn({ ...batch, err: news.error }, 'could not look after a batch');
  }
}
