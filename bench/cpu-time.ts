import { readdirSync, readFileSync } from 'node:fs';
import { PARTS, type Part, type Parts } from './systems.ts';

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
 * The CPU time in milliseconds that each of these processes has used since it started, with all its descendants. Nothing
 * where the system does not tell (it is read from /proc).
 */
export function cpuTimesMs(parts: Parts): Partial<Record<Part, number>> {
  let all: string[];
  try {
    all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return {};
  }
  const times = new Map(all.map((pid) => [Number(pid), timesOf(pid)]));
  const belongs = (pid: number, root: number): boolean => {
    if (pid === root) return true;
    const parent = times.get(pid)?.parent;
    return parent !== undefined && parent > 1 && belongs(parent, root);
  };
  const sums: Partial<Record<Part, number>> = {};
  for (const part of PARTS) {
    const root = parts[part];
    if (root === undefined) continue;
    let sum = 0;
    for (const [pid, time] of times) if (time !== undefined && belongs(pid, root)) sum += time.ms;
    sums[part] = sum;
  }
  return sums;
}
