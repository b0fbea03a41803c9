import type { Measurement } from './measure-run.ts';
import type { ContenderId, Workload } from './names.ts';

/** What Holdfast should reach, said before it was measured. */
export interface Goal {
  readonly text: string;
  readonly workload: Workload;
  /** From so many clients to so many; of all that were measured, the worst counts. */
  readonly clients: readonly [least: number, most: number];
  readonly system: ContenderId;
  readonly figure: (measurement: Measurement) => number | undefined;
  /** The figure is compared with this system's. */
  readonly against?: ContenderId;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const perSecond = (measurement: Measurement) => measurement.perSecond;
const rowsPerWrite = (measurement: Measurement) => measurement.rowsPerWrite;
const cachedPut = { workload: 'put', clients: [64, 256], system: 'cached' } as const;
const cachedIncrement = {
  workload: 'increment',
  clients: [64, 256],
  system: 'cached',
  against: 'b',
} as const;
const queuedIncrement = {
  workload: 'increment',
  clients: [512, 512],
  system: 'queued',
  against: 'b',
} as const;
const SOME = [1, 1_024] as const;

export const GOALS: readonly Goal[] = [
  {
    ...cachedPut,
    text: 'PUT `cached`, 64–256 clients: requests/s × (a)',
    figure: perSecond,
    against: 'a',
    atLeast: 0.7,
  },
  {
    ...cachedPut,
    text: 'PUT `cached`, 64–256 clients: requests/s × (b)',
    figure: perSecond,
    against: 'b',
    atLeast: 2,
  },
  {
    ...cachedPut,
    text: 'PUT `cached`, 64–256 clients: requests/s × (d)',
    figure: perSecond,
    against: 'd',
    atLeast: 3,
  },
  {
    ...cachedPut,
    text: 'PUT `cached`, 64–256 clients: pace of the rows × that of the answers (0.95: the backlog does not grow)',
    figure: ({ lag }) => lag?.keepsUp,
    atLeast: 0.95,
  },
  {
    ...cachedIncrement,
    text: 'Increment of one hot key, `cached`: requests/s × (b)',
    figure: perSecond,
    atLeast: 5,
  },
  {
    ...queuedIncrement,
    text: 'Increment of one hot key, `queued`, 512 clients: requests/s × (b)',
    figure: perSecond,
    atLeast: 2,
  },
  {
    ...cachedIncrement,
    text: 'Increment of one hot key, `cached`: row writes per increment × (b)',
    figure: rowsPerWrite,
    atMost: 0.01,
  },
  {
    ...queuedIncrement,
    text: 'Increment of one hot key, `queued`, 512 clients: row writes per increment × (b)',
    figure: rowsPerWrite,
    atMost: 0.01,
  },
  {
    text: 'PUT `queued`, 1 client: p50 × that of a bare workflow start (w)',
    workload: 'put',
    clients: [1, 1],
    system: 'queued',
    figure: ({ measured, p50 }) => (measured === 0 ? undefined : p50),
    against: 'w',
    atMost: 1.2,
  },
  {
    text: 'PUT `queued`, 1,024 clients: requests/s × (b)',
    workload: 'put',
    clients: [1_024, 1_024],
    system: 'queued',
    figure: perSecond,
    against: 'b',
    atLeast: 1,
  },
  {
    text: 'GET hit: requests/s × (a)',
    workload: 'get',
    clients: SOME,
    system: 'reads',
    figure: perSecond,
    against: 'a',
    atLeast: 0.85,
  },
  {
    text: 'GET miss, nothing pending: requests/s × the same GET from PostgreSQL (b)',
    workload: 'cold',
    clients: SOME,
    system: 'reads',
    figure: perSecond,
    against: 'b',
    atLeast: 0.8,
  },
  {
    text: '`/v1/batch` into `queued`: mutations/s',
    workload: 'batch',
    clients: SOME,
    system: 'queued',
    figure: perSecond,
    atLeast: 20_000,
  },
  {
    text: 'PUT written through: requests/s × (c)',
    workload: 'put',
    clients: [64, 256],
    system: 'through',
    figure: perSecond,
    against: 'c',
    atLeast: 0.85,
  },
];
