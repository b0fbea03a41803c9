import { until } from '../../dev/until.ts';
import { peakMegabytes } from '../processes.ts';
import type { Holdfast } from '../start-holdfast.ts';
import { loseMemory, type Recovered } from './lost-memory.ts';
import { untilAllPersisted } from './queue.ts';

/** How a backlog was carried to PostgreSQL, once there was a worker. */
export interface Drain {
  /** From the start of the worker's process until the first row was there. */
  readonly firstRowMs: number;
  /** Redis lost its memory a second time, just after that. */
  readonly recovered: readonly Recovered[];
  /** Rows that were there when all partitions had come back, and how long the rest took: the rate leaves the recovery out. */
  readonly rowsThen: number;
  readonly restMs: number;
  /** From the worker's start until Holdfast said that all was persisted. */
  readonly allMs: number;
  readonly workerPeakMb: number | undefined;
}

/** Starts one worker and waits until it has carried everything, with Redis losing its memory on the way. @throws as {@link loseMemory} */
export async function drain(
  holdfast: Holdfast,
  { base, partitions }: { readonly base: string; readonly partitions: number },
): Promise<Drain> {
  const begin = performance.now();
  const since = () => performance.now() - begin;
  const worker = await holdfast.addWorker();
  const count = async () =>
    Number((await holdfast.db.query('SELECT count(*) AS n FROM documents')).rows[0].n);
  await until(count, { timeoutMs: 120_000, what: 'the first row' });
  const firstRowMs = since();
  const recovered = await loseMemory(holdfast, { base, partitions, round: 'draining' });
  const rowsThen = await count();
  const restBegin = since();
  await untilAllPersisted(holdfast);
  const allMs = since();
  return {
    firstRowMs,
    recovered,
    rowsThen,
    restMs: allMs - restBegin,
    allMs,
    workerPeakMb: peakMegabytes(worker.pid),
  };
}
