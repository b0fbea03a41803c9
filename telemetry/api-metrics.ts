import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { createHttpMetrics } from './http-metrics.ts';
import type { HttpMetrics, ServiceMetrics, SharedFigures } from './metrics.ts';
import { createServiceMetrics } from './service-metrics.ts';
import { createSharedGauges } from './shared-gauges.ts';

/** The metrics of an API process. */
export interface ApiMetrics extends HttpMetrics {
  readonly service: ServiceMetrics;
  /** Where the figures that all processes share come from: `look` never fails and takes two seconds at most. */
  shareFrom(look: () => Promise<SharedFigures>): void;
}

/** A scrape that comes sooner than this after another one is told the same of what is shared, in ms. */
const KEEP_MS = 1_000;

/**
 * @param options.process also CPU, memory, garbage collection and event loop of this process: once in a process.
 * @param options.partitions as configured
 */
export function createApiMetrics(options: {
  readonly process: boolean;
  readonly partitions: number;
}): ApiMetrics {
  const registry = new Registry();
  if (options.process) collectDefaultMetrics({ register: registry });
  // Not among what is shared, which is left out where it is not known: an alert compares how many should be told of.
  new Gauge({
    name: 'holdfast_partitions',
    help: 'Partitions, as configured. The same on every process: use max().',
    registers: [registry],
  }).set(options.partitions);
  const setShared = createSharedGauges(registry);
  let look: (() => Promise<SharedFigures>) | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;

  /** One look at a time, and no more than one a second, however many scrape. */
  function refreshed(): Promise<void> {
    if (look === undefined) return Promise.resolve();
    if (looking === undefined || performance.now() - lookedAt > KEEP_MS) {
      lookedAt = performance.now();
      looking = look().then(setShared);
    }
    return looking;
  }

  return {
    ...createHttpMetrics(registry),
    service: createServiceMetrics(registry),
    shareFrom(from) {
      look = from;
    },
    async scrape() {
      await refreshed();
      return await registry.metrics();
    },
  };
}
