import { Counter, collectDefaultMetrics, Registry } from 'prom-client';
import type { WorkerMetrics } from './metrics.ts';
import { createPersistMetrics } from './persist-metrics.ts';
import { createRescueMetrics } from './rescue-metrics.ts';

/** @param options.process also CPU, memory, garbage collection and event loop of this process: once in a process. */
export function createWorkerMetrics(options: {
  readonly process: boolean;
}): WorkerMetrics & { readonly scrape: () => Promise<string> } {
  const registry = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  const releases = new Counter({
    name: 'holdfast_release_failures_total',
    help: 'Attempts to tell Redis that a batch is settled which failed and are repeated.',
    registers: [registry],
  });
  return {
    ...createPersistMetrics(registry),
    ...createRescueMetrics(registry),
    releaseFailed: () => releases.inc(),
    scrape: () => registry.metrics(),
  };
}
