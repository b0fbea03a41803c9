import { Counter, type Registry } from 'prom-client';
import type { RescueMetrics } from './metrics.ts';

/** What API processes and workers see to because another process, or an operator, left it behind. */
export function createRescueMetrics(registry: Registry): RescueMetrics {
  const rescues = new Counter({
    name: 'holdfast_rescues_total',
    help: 'What this process saw to because another had left it behind: a batch, a release, a workflow that was ended by hand.',
    labelNames: ['what'],
    registers: [registry],
  });
  // An alert looks at it: a series that appears with its first count has no increase yet.
  for (const what of ['batch-adopted', 'release-redone', 'workflow-restarted']) rescues.inc({ what }, 0);
  return { rescued: (what) => rescues.inc({ what }) };
}
