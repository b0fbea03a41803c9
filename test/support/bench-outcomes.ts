import type { Measurement } from '../../bench/measure-run.ts';
import type { Outcome } from '../../bench/outcome.ts';

/** Of the benchmark: what rounds of one system found, one `measurement` each. What a test does not say is nothing. */
export function outcomesOf(
  what: Pick<Outcome, 'workload' | 'clients' | 'id'> & Partial<Outcome>,
  ...measurements: readonly Partial<Measurement>[]
): Outcome[] {
  return measurements.map((measurement, round) => ({
    bytes: 100,
    name: `system ${what.id}`,
    round,
    ...what,
    measurement: {
      acknowledged: 0,
      writes: 0,
      measured: 1,
      perSecond: 0,
      p50: 0,
      p99: 0,
      p999: 0,
      errors: {},
      from: 0,
      until: 0,
      samples: [],
      ownCpu: 0,
      cpuMicros: {},
      redis: undefined,
      rowsPerWrite: undefined,
      backlog: undefined,
      lag: undefined,
      memory: {},
      ...measurement,
    },
  }));
}
