import { READS_PER_SECOND } from '../cold-rows.ts';
import { type Contender, holdfastContenders } from '../contenders.ts';
import type { LoadProcess } from '../load-process.ts';
import { measure } from '../measure.ts';
import { type Measurement, measureRun } from '../measure-run.ts';
import type { ContenderId, Workload } from '../names.ts';
import { untilSettled } from '../persisted.ts';
import { requestShape } from '../request-shape.ts';
import { SMALL } from '../scenarios.ts';
import type { Holdfast } from '../start-holdfast.ts';
import { evictCachedCopies } from './evict.ts';

/** The beginning of the keys of rows that are there before anything is measured; a number follows. */
export const ROW_PREFIX = 'row-';
/** Of the rows, those that hits are measured on. */
const HIT_ROWS = 2_000;

/** What is measured, and as what the report shows it. */
export const PROBES = {
  new: 'PUT `cached` of new keys',
  over: 'PUT `cached` of keys all over the table',
  queued: 'PUT `queued` of new keys',
  increment: 'Increments `cached` of one key',
  miss: 'GET of keys all over the table, none of them cached',
  hit: 'GET of 2,000 cached keys',
} as const;
export type Probe = keyof typeof PROBES;

export interface Timing {
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** A Holdfast whose table has the rows 0 to `rows` − 1. */
export interface Subject {
  readonly holdfast: Holdfast;
  readonly rows: number;
}

/** Measures once. Nothing else may be under way; when it answers, nothing is. */
export async function measureProbe(
  probe: Probe,
  { holdfast, rows }: Subject,
  { clients, ...timing }: Timing & { readonly clients: number },
  load: LoadProcess,
): Promise<Measurement> {
  const as = (id: ContenderId): Contender => {
    const [contender] = holdfastContenders(holdfast, [id]);
    if (contender === undefined) throw new Error(`Holdfast is not measured as "${id}"`);
    return contender;
  };
  const usual = (id: ContenderId, workload: Workload) => {
    const scenario = { workload, clients, bytes: SMALL };
    return measure({ scenario, contender: as(id), round: 0 }, load, { ...timing, rate: undefined });
  };
  const shapeOf = (id: ContenderId, workload: Workload) => requestShape(workload, as(id), ROW_PREFIX, SMALL);
  switch (probe) {
    case 'new':
      return usual('cached', 'put');
    case 'queued':
      return usual('queued', 'put');
    case 'increment':
      return usual('cached', 'increment');
    case 'over': {
      await evictCachedCopies(holdfast.redis);
      const shape = { ...shapeOf('cached', 'put'), pick: 'spread', of: rows } as const;
      const caughtUp = () => untilSettled(holdfast);
      return measureRun(holdfast, load, { request: { clients, ...timing, shape }, caughtUp });
    }
    case 'miss': {
      await evictCachedCopies(holdfast.redis);
      const shape = { ...shapeOf('reads', 'cold'), pick: 'spread', of: rows } as const;
      return measureRun(holdfast, load, {
        request: { clients, ...missTiming(timing, rows), total: rows, shape },
        caughtUp: undefined,
      });
    }
    case 'hit': {
      const of = Math.min(HIT_ROWS, rows);
      const shape = { ...shapeOf('reads', 'get'), key: ROW_PREFIX, pick: 'cycle', of } as const;
      const once = { clients, warmupMs: 0, measureMs: 60_000, total: of, ports: holdfast.ports, shape };
      await load.run(once);
      return measureRun(holdfast, load, { request: { clients, ...timing, shape }, caughtUp: undefined });
    }
  }
}

/** No key can miss twice: where there are too few for a warm-up, every one is measured, until there is none left. */
function missTiming(timing: Timing, rows: number): Timing {
  const reads = (READS_PER_SECOND * (timing.warmupMs + timing.measureMs)) / 1_000;
  return rows < reads ? { ...timing, warmupMs: 0 } : timing;
}
