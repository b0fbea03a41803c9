import { type Contender, requestShape } from './contenders.ts';
import { cpuTimesMs } from './cpu-time.ts';
import type { LoadResult } from './load-messages.ts';
import type { LoadProcess } from './load-process.ts';
import type { BenchOptions, Workload } from './options.ts';
import { type Backlog, persistedCount, persistedEntries, rowsWritten, untilPersisted } from './persisted.ts';
import { PARTS, type Part } from './systems.ts';

/** One system under one workload with so many clients, in one round. */
export interface Cell {
  readonly workload: Workload;
  readonly clients: number;
  readonly contender: Contender;
  readonly round: number;
}

export interface Measurement extends LoadResult {
  /** CPU time in µs a request, by part of the system, until the last write was persisted. */
  readonly cpuMicros: Readonly<Partial<Record<Part, number>>>;
  readonly rowsPerWrite: number | undefined;
  readonly backlog: Backlog | undefined;
}

let cells = 0;

/** Runs one cell and waits until nothing of it is under way any more, so that the next one has the machine for itself. */
export async function measure(
  cell: Cell,
  load: LoadProcess,
  timing: Pick<BenchOptions, 'warmupMs' | 'measureMs' | 'rate'>,
): Promise<Measurement> {
  const { workload, clients, contender } = cell;
  const { system, behind } = contender;
  const { db } = system;
  const { warmupMs, measureMs, rate } = timing;
  cells += 1;
  const key = `cell-${cells}-`;
  const writes = workload !== 'get';
  const countBefore = behind && workload === 'increment' && db !== undefined ? await persistedCount(db) : 0;
  const rowsBefore = writes && db !== undefined ? await rowsWritten(db) : 0;
  const cpuBefore = cpuTimesMs(system.parts);

  const shape = requestShape(workload, contender, key);
  const result = await load.run({ port: system.port, clients, warmupMs, measureMs, rate, shape });

  let backlog: Backlog | undefined;
  if (behind && writes && db !== undefined) {
    backlog = await untilPersisted(countBefore + result.acknowledged, () =>
      workload === 'put' ? persistedEntries(db, key) : persistedCount(db),
    );
  }
  return {
    ...result,
    cpuMicros: cpuPerRequest(cpuBefore, cpuTimesMs(system.parts), result.acknowledged),
    rowsPerWrite:
      writes && db !== undefined && result.acknowledged > 0
        ? ((await rowsWritten(db)) - rowsBefore) / result.acknowledged
        : undefined,
    backlog,
  };
}

function cpuPerRequest(
  before: Readonly<Partial<Record<Part, number>>>,
  after: Readonly<Partial<Record<Part, number>>>,
  requests: number,
): Partial<Record<Part, number>> {
  const found: Partial<Record<Part, number>> = {};
  for (const part of PARTS) {
    const [from, to] = [before[part], after[part]];
    if (from !== undefined && to !== undefined && requests > 0)
      found[part] = ((to - from) * 1_000) / requests;
  }
  return found;
}
