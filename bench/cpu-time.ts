import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second, on every architecture that Node runs on. */
const TICK_MS = 10;

interface ProcessTimes {
  readonly parent: number;
  readonly ms: number;
}

function timesOf(pid: string): ProcessTimes | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const at = (index: number) => Number(fields[index]);
    // utime and stime, and those of children that ended.
    return { parent: at(1), ms: (at(11) + at(12) + at(13) + at(14)) * TICK_MS };
  } catch {
    return undefined;
  }
}

/**
 * The CPU time in milliseconds that these processes have used since they started, with all their descendants. `undefined`
 * where the system does not tell (it is read from /proc).
 */
export function cpuTimeMs(pids: readonly number[]): number | undefined {
  let all: string[];
  try {
    all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  const times = new Map(all.map((pid) => [Number(pid), timesOf(pid)]));
  const belongs = (pid: number): boolean => {
    if (pids.includes(pid)) return true;
    const parent = times.get(pid)?.parent;
    return parent !== undefined && parent > 1 && belongs(parent);
  };
  let sum = 0;
  for (const [pid, time] of times) if (time !== undefined && belongs(pid)) sum += time.ms;
  return sum;
}
