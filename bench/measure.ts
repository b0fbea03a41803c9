import { createColdRows } from './cold-rows.ts';
import { type Lag, lagOf } from './lag.ts';
import type { LoadResult } from './load-messages.ts';
import type { LoadProcess } from './load-process.ts';
import type { Workload } from './names.ts';
import type { BenchOptions } from './options.ts';
import {
  type Backlog,
  persistedCount,
  persistedEntries,
  rowsWritten,
  untilPersisted,
  untilSettled,
  type WithDatabase,
} from './persisted.ts';
import type { Cell } from './plan.ts';
import { type ByPart, cpuTimesMs, residentMegabytes } from './processes.ts';
import { type RedisTraffic, redisTraffic } from './redis-traffic.ts';
import { requestShape } from './request-shape.ts';
import { PARTS, type Part, type System } from './system.ts';

export interface Measurement extends LoadResult {
  /** CPU time in µs a request, by part of the system, until the last write was persisted. */
  readonly cpuMicros: ByPart;
  /** What Redis was sent for each request, until the last write was persisted. */
  readonly redis: RedisTraffic | undefined;
  readonly rowsPerWrite: number | undefined;
  readonly backlog: Backlog | undefined;
  readonly lag: Lag | undefined;
  /** Resident memory in MB, by part of the system, when all was done. */
  readonly memory: ByPart;
}

type Timing = Pick<BenchOptions, 'warmupMs' | 'measureMs' | 'rate'>;

let cells = 0;

/** Runs one cell and waits until nothing of it is under way any more, so that the next one has the machine for itself. */
export async function measure(cell: Cell, load: LoadProcess, timing: Timing): Promise<Measurement> {
  const { scenario, contender } = cell;
  const { workload, clients, bytes } = scenario;
  const { system, behind } = contender;
  cells += 1;
  const key = `cell-${cells}-`;
  const ms = timing.warmupMs + timing.measureMs;
  const total = workload === 'cold' ? await createColdRows(system, key, { bytes, ms }) : undefined;
  const counted =
    behind && workload === 'increment' && hasDatabase(system) ? await persistedCount(system.db) : 0;
  const before = await readFigures(system);

  const shape = requestShape(workload, contender, key, bytes);
  const result = await load.run({ port: system.port, clients, ...timing, total, shape });

  const backlog =
    behind && result.writes > 0 && hasDatabase(system)
      ? await caughtUp(workload, system, key, counted + result.writes)
      : undefined;
  const after = await readFigures(system);
  const requests = result.acknowledged;
  return {
    ...result,
    cpuMicros: cpuPerRequest(before.cpu, after.cpu, requests),
    redis: trafficPerRequest(before.redis, after.redis, requests),
    rowsPerWrite:
      result.writes > 0 && before.rows !== undefined && after.rows !== undefined
        ? (after.rows - before.rows) / result.writes
        : undefined,
    backlog,
    lag: behind && backlog?.seconds !== undefined ? await lagOf(system, key, result) : undefined,
    memory: residentMegabytes(system.parts),
  };
}

function hasDatabase(system: System): system is WithDatabase {
  return system.db !== undefined;
}

/** Waits until PostgreSQL has it all. */
function caughtUp(workload: Workload, system: WithDatabase, key: string, expected: number): Promise<Backlog> {
  switch (workload) {
    case 'put':
    case 'batch':
      return untilPersisted(expected, () => persistedEntries(system, key));
    case 'increment':
      return untilPersisted(expected, () => persistedCount(system.db));
    default:
      return untilSettled(system);
  }
}

/** What is counted from the start of each process on. */
async function readFigures(system: System) {
  return {
    cpu: cpuTimesMs(system.parts),
    redis: system.redis && (await redisTraffic(system.redis)),
    rows: system.db && (await rowsWritten(system.db)),
  };
}

function cpuPerRequest(before: ByPart, after: ByPart, requests: number): ByPart {
  const found: Partial<Record<Part, number>> = {};
  for (const part of PARTS) {
    const [from, to] = [before[part], after[part]];
    if (from !== undefined && to !== undefined && requests > 0)
      found[part] = ((to - from) * 1_000) / requests;
  }
  return found;
}

function trafficPerRequest(
  before: RedisTraffic | undefined,
  after: RedisTraffic | undefined,
  requests: number,
): RedisTraffic | undefined {
  if (before === undefined || after === undefined || requests === 0) return undefined;
  return {
    bytes: (after.bytes - before.bytes) / requests,
    commands: (after.commands - before.commands) / requests,
  };
}
