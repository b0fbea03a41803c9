import { createHistogram } from './histogram.ts';
import type { LoadConnection } from './load-connection.ts';
import type { Acknowledged, LoadResult, RequestShape } from './load-messages.ts';

/** One of so many writes is asked for later, when its row came. */
const SAMPLE_EVERY = 8;
const MOST_SAMPLES = 5_000;

/** What a member of a batch's answer has that failed, and no receipt. */
const PROBLEM = /"code":"([a-z-]+)"/g;

/** What became of the requests of one run. */
export interface Tally {
  /** `latencyMs`: of a request within the measured time. */
  succeed(request: Pick<LoadConnection, 'n' | 'writes'>, text: string, latencyMs: number | undefined): void;
  fail(reason: string, times?: number): void;
  result(time: { readonly measuredMs: number; readonly ownCpu: number }): LoadResult;
}

export function createTally({ pick, batch }: Pick<RequestShape, 'pick' | 'batch'>): Tally {
  const histogram = createHistogram();
  const errors: Record<string, number> = {};
  const samples: Acknowledged[] = [];
  let acknowledged = 0;
  let writes = 0;
  let measured = 0;
  const fail = (reason: string, times = 1) => {
    errors[reason] = (errors[reason] ?? 0) + times;
  };
  return {
    fail,
    succeed(request, text, latencyMs) {
      let done = 1;
      if (batch > 0) {
        // A batch succeeds as a request, whatever becomes of its operations.
        const problems = [...text.matchAll(PROBLEM)];
        for (const [, code = ''] of problems) fail(code);
        done = batch - problems.length;
      }
      acknowledged += done;
      writes += batch > 0 ? done : request.writes;
      if (latencyMs === undefined) return;
      measured += done;
      histogram.record(latencyMs);
      const sampled = pick === 'each' && batch === 0 && request.writes > 0 && request.n % SAMPLE_EVERY === 0;
      if (sampled && samples.length < MOST_SAMPLES) samples.push([request.n, Date.now()]);
    },
    result({ measuredMs, ownCpu }) {
      return {
        acknowledged,
        writes,
        measured,
        perSecond: measuredMs > 0 ? (measured * 1_000) / measuredMs : 0,
        p50: histogram.quantile(0.5),
        p99: histogram.quantile(0.99),
        p999: histogram.quantile(0.999),
        errors,
        samples,
        ownCpu,
      };
    },
  };
}
