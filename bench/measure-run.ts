import { type Lag, lagOf } from './lag.ts';
import type { LoadRequest, LoadResult } from './load-messages.ts';
import type { LoadProcess } from './load-process.ts';
import { type Backlog, rowsWritten } from './persisted.ts';
import { type ByPart, cpuTimesMs, residentMegabytes } from './processes.ts';
import { type RedisTraffic, redisTraffic } from './redis-traffic.ts';
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

/** What one run of the load generator is, and what is waited for after it. */
export interface Run {
  readonly request: Omit<LoadRequest, 'ports'>;
  /** Waits until PostgreSQL has all that was acknowledged; `undefined`: there is nothing to wait for. */
  readonly caughtUp: ((result: LoadResult) => Promise<Backlog>) | undefined;
}

/** Sends one system the load and waits until nothing of it is under way any more, so that the next one has the machine for itself. */
export async function measureRun(system: System, load: LoadProcess, run: Run): Promise<Measurement> {
  const before = await readFigures(system);
  const result = await load.run({ ...run.request, ports: system.ports });
  const backlog = result.writes > 0 ? await run.caughtUp?.(result) : undefined;
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
    lag: backlog?.seconds === undefined ? undefined : await lagOf(system, run.request.shape.key, result),
    memory: residentMegabytes(system.parts),
  };
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
