import { Counter, Histogram, type Registry } from 'prom-client';
import { LONG_SECONDS, SHORT_SECONDS } from './buckets.ts';
import type { PersistMetrics } from './metrics.ts';

/** What happens to batches on their last step, in a worker or, while Temporal is away, in an API process. */
export function createPersistMetrics(registry: Registry): PersistMetrics {
  const registers = [registry];
  const attempts = new Histogram({
    name: 'holdfast_persist_attempt_seconds',
    help: 'How long attempts to carry a batch into PostgreSQL took, by what they came to and who made them.',
    labelNames: ['outcome', 'via'],
    buckets: SHORT_SECONDS,
    registers,
  });
  const ages = new Histogram({
    name: 'holdfast_persist_latency_seconds',
    help: 'Time from the oldest write of a batch until the batch was in PostgreSQL.',
    labelNames: ['via'],
    buckets: LONG_SECONDS,
    registers,
  });
  const failures = new Counter({
    name: 'holdfast_persist_failures_total',
    help: 'Attempts that failed and are repeated, by the class of the SQLSTATE, or unreachable, cancelled, unexpected.',
    labelNames: ['class'],
    registers,
  });
  const deadLetters = new Counter({
    name: 'holdfast_dead_letters_total',
    help: 'Writes that PostgreSQL refused for what they hold, by the class of the SQLSTATE.',
    labelNames: ['class'],
    registers,
  });
  // A series that appears with its first failure has no increase yet: alerts would miss that one.
  for (const known of ['08', '53', '57', 'unreachable', 'cancelled', 'unexpected'])
    failures.inc({ class: known }, 0);
  for (const known of ['22', '23', '54']) deadLetters.inc({ class: known }, 0);

  return {
    persisted({ via, outcome, errorClass, deadLetters: refused, seconds, ageSeconds }) {
      attempts.observe({ outcome, via }, seconds);
      if (outcome === 'persisted') ages.observe({ via }, ageSeconds);
      if (errorClass !== undefined) failures.inc({ class: errorClass });
      for (const sqlClass of refused) deadLetters.inc({ class: sqlClass });
    },
  };
}
