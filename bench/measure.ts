import { type Contender, requestShape } from './contenders.ts';
import { cpuTimeMs } from './cpu-time.ts';
import type { LoadResult } from './load-messages.ts';
import type { LoadProcess } from './load-process.ts';
import type { BenchOptions, Workload } from './options.ts';
import { type Backlog, persistedCount, persistedEntries, rowsWritten, untilPersisted } from './persisted.ts';

/** One system under one workload with so many clients, in one round. */
export interface Cell {
  readonly workload: Workload;
  readonly clients: number;
  readonly contender: Contender;
  readonly round: number;
}

export interface Measurement extends LoadResult {
  /** CPU time of the HTTP server's process, and of all processes until the last write was persisted, in µs a request. */
  readonly serverCpuMicros: number | undefined;
  readonly allCpuMicros: number | undefined;
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
  const serverBefore = cpuTimeMs([system.serverPid]);
  const allBefore = cpuTimeMs(system.pids);

  const shape = requestShape(workload, contender, key);
  const result = await load.run({ port: system.port, clients, warmupMs, measureMs, rate, shape });

  let backlog: Backlog | undefined;
  if (behind && writes && db !== undefined) {
    backlog = await untilPersisted(countBefore + result.acknowledged, () =>
      workload === 'put' ? persistedEntries(db, key) : persistedCount(db),
    );
  }
  const perRequest = (before: number | undefined, after: number | undefined) =>
    before === undefined || after === undefined || result.acknowledged === 0
      ? undefined
      : ((after - before) * 1_000) / result.acknowledged;
  return {
    ...result,
    serverCpuMicros: perRequest(serverBefore, cpuTimeMs([system.serverPid])),
    allCpuMicros: perRequest(allBefore, cpuTimeMs(system.pids)),
    rowsPerWrite:
      writes && db !== undefined && result.acknowledged > 0
        ? ((await rowsWritten(db)) - rowsBefore) / result.acknowledged
        : undefined,
    backlog,
  };
}
