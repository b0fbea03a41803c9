import { Counter, Histogram, type Registry } from 'prom-client';
import { BATCH_BYTES, BATCH_ENTRIES, LONG_SECONDS } from './buckets.ts';
import type { ServiceMetrics } from './metrics.ts';
import { createPersistMetrics } from './persist-metrics.ts';
import { createRescueMetrics } from './rescue-metrics.ts';

/** What the use cases of an API process tell. */
export function createServiceMetrics(registry: Registry): ServiceMetrics {
  const registers = [registry];
  const reads = new Counter({
    name: 'holdfast_reads_total',
    help: 'Entries read, by where the value came from: hit (Redis), miss (the row), merged (a pending write), degraded (without Redis).',
    labelNames: ['collection', 'outcome'],
    registers,
  });
  const entries = new Histogram({
    name: 'holdfast_batch_entries',
    help: 'Entries in the batches that Temporal accepted.',
    buckets: BATCH_ENTRIES,
    registers,
  });
  const bytes = new Histogram({
    name: 'holdfast_batch_bytes',
    help: 'Size of the batches that Temporal accepted, as BATCH_MAX_BYTES counts it.',
    buckets: BATCH_BYTES,
    registers,
  });
  const queueing = new Histogram({
    name: 'holdfast_queue_latency_seconds',
    help: 'Time from the oldest write of a batch until Temporal had accepted the batch.',
    buckets: LONG_SECONDS,
    registers,
  });
  const recoveries = new Counter({
    name: 'holdfast_recoveries_total',
    help: 'Partitions that this process brought back after Redis had lost its memory, the first use of a partition included.',
    labelNames: ['partition'],
    registers,
  });
  const around = new Counter({
    name: 'holdfast_writes_around_redis_total',
    help: 'Writes that went to PostgreSQL past a Redis that was out of reach.',
    registers,
  });

  return {
    ...createPersistMetrics(registry),
    ...createRescueMetrics(registry),
    read: (collection, outcome) => reads.inc({ collection, outcome }),
    queued(batch) {
      entries.observe(batch.entries);
      bytes.observe(batch.bytes);
      queueing.observe(batch.seconds);
    },
    recovered: (partition) => recoveries.inc({ partition }),
    wroteAroundRedis: () => around.inc(),
  };
}
