/** What is measured. `put`, `zipf`, `mixed`, `batch` write documents, `increment` counts, `get` and `cold` read. */
export const WORKLOADS = ['put', 'zipf', 'increment', 'mixed', 'get', 'cold', 'batch'] as const;
export type Workload = (typeof WORKLOADS)[number];

/**
 * The lines of a table. Letters are what you might build instead (bench/peers); the others are Holdfast: by what a write
 * waits for, `through` in a collection that is written through, and `reads`.
 */
export const CONTENDERS = [
  'a',
  'b',
  'c',
  'd',
  'e',
  'h',
  'w',
  'cached',
  'queued',
  'persisted',
  'through',
  'reads',
] as const;
export type ContenderId = (typeof CONTENDERS)[number];
