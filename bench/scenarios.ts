import type { ContenderId, Workload } from './names.ts';

/** One table of the report: a workload with so many clients and documents of so many bytes. */
export interface Scenario {
  readonly workload: Workload;
  readonly clients: number;
  readonly bytes: number;
  /** Only these; without, all that can. */
  readonly only?: readonly ContenderId[];
}

export const SMALL = 100;
const SIZES = [SMALL, 1_024, 32_768] as const;
/** Those for which the size of documents makes a difference. */
const OF_ANY_SIZE: readonly Workload[] = ['put', 'get', 'cold'];

const at = (workload: Workload, clients: number, only?: readonly ContenderId[], bytes: number = SMALL) =>
  only === undefined ? { workload, clients, bytes } : { workload, clients, bytes, only };

/** What the goals are about, and no more. */
export const QUICK: readonly Scenario[] = [
  at('put', 1, ['w', 'queued']),
  at('put', 64, ['a', 'b', 'c', 'd', 'e', 'cached', 'queued', 'persisted', 'through']),
  at('put', 1_024, ['b', 'queued']),
  at('increment', 64, ['b', 'cached']),
  at('increment', 512, ['b', 'h', 'queued']),
  at('get', 64),
  at('cold', 64),
  at('batch', 16, ['queued']),
];

const SIZED: readonly ContenderId[] = ['a', 'b', 'c', 'e', 'cached', 'queued', 'through'];

export const USUAL: readonly Scenario[] = [
  at('put', 1, ['a', 'b', 'c', 'w', 'cached', 'queued', 'persisted', 'through']),
  at('put', 64, ['a', 'b', 'c', 'd', 'e', 'cached', 'queued', 'persisted', 'through']),
  at('put', 256, ['a', 'b', 'c', 'd', 'e', 'cached', 'queued', 'persisted', 'through']),
  at('put', 1_024, ['a', 'b', 'e', 'cached', 'queued']),
  at('put', 64, SIZED, 1_024),
  at('put', 64, SIZED, 32_768),
  at('zipf', 64, ['a', 'b', 'd', 'e', 'cached', 'queued']),
  at('increment', 64, ['a', 'b', 'h', 'cached', 'queued']),
  at('increment', 512, ['a', 'b', 'h', 'cached', 'queued']),
  at('mixed', 64, ['a', 'b', 'c', 'cached', 'queued']),
  at('get', 64),
  at('cold', 64),
  at('batch', 16, ['cached', 'queued']),
];

/** Every workload with every number of clients, and documents of every size where that matters. */
export function everything(
  workloads: readonly Workload[],
  clients: readonly number[] = [1, 16, 64, 256, 512, 1_024],
  sizes: readonly number[] = SIZES,
): Scenario[] {
  return workloads.flatMap((workload) =>
    clients.flatMap((count) =>
      sizes
        .filter((_, index) => index === 0 || OF_ANY_SIZE.includes(workload))
        .map((bytes) => at(workload, count, undefined, bytes)),
    ),
  );
}
