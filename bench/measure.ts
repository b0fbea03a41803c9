import { createColdRows } from './cold-rows.ts';
import type { LoadProcess } from './load-process.ts';
import { type Measurement, measureRun } from './measure-run.ts';
import type { Workload } from './names.ts';
import type { BenchOptions } from './options.ts';
import {
  type Backlog,
  persistedCount,
  persistedEntries,
  untilPersisted,
  untilSettled,
  type WithDatabase,
} from './persisted.ts';
import type { Cell } from './plan.ts';
import { requestShape } from './request-shape.ts';
import type { System } from './system.ts';

type Timing = Pick<BenchOptions, 'warmupMs' | 'measureMs' | 'rate'>;

let cells = 0;

/** Runs one cell and waits until nothing of it is under way any more. */
export async function measure(cell: Cell, load: LoadProcess, timing: Timing): Promise<Measurement> {
  const { scenario, contender } = cell;
  const { workload, clients, bytes } = scenario;
  const { system, behind } = contender;
  cells += 1;
  const key = `cell-${cells}-`;
  const ms = timing.warmupMs + timing.measureMs;
  const total = workload === 'cold' ? await createColdRows(system, key, { bytes, ms }) : undefined;
  const waits = behind && hasDatabase(system) ? system : undefined;
  const counted = waits && workload === 'increment' ? await persistedCount(waits.db) : 0;
  return await measureRun(system, load, {
    request: { clients, ...timing, total, shape: requestShape(workload, contender, key, bytes) },
    caughtUp: waits && (({ writes }) => caughtUp(workload, waits, key, counted + writes)),
  });
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
